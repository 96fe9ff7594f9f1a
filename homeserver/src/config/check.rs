//! What a well-formed config may still get wrong: names, addresses, networks, URLs. Pure; opens no file.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use lettre::message::Mailbox;
use ruma::ServerName;
use url::Url;

use super::{Config, MailTransport};

/// A value that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, dotted: `listen.http`.
    pub key: &'static str,
    /// Which table of a list, counted from 0.
    pub nth: usize,
    pub problem: String,
}

/// Collects problems.
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, key: &'static str, problem: impl Into<String>) {
        self.0.push(Problem { key, nth: 0, problem: problem.into() });
    }
}

/// An address or a network in CIDR form: `10.0.0.0/8`, `::1`.
pub fn parse_network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

impl Config {
    /// Everything wrong with the values, in the order of the file. Empty when usable.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems(Vec::new());
        self.check_names(&mut problems);
        self.check_listeners(&mut problems);
        self.check_database(&mut problems);
        self.check_mail(&mut problems);
        self.check_networks(&mut problems);
        problems.0
    }

    fn check_names(&self, problems: &mut Problems) {
        if let Err(error) = ServerName::parse(&self.server_name) {
            let text = format!(
                "{:?} is no server name ({error}); example.org or example.org:8448 is",
                self.server_name
            );
            problems.add("server_name", text);
        } else if self.server_name.len() > 230 {
            problems.add("server_name", "is too long: user ids have to fit into 255 bytes");
        }
        let version = self.rooms.default_version.parse::<u8>();
        if !version.is_ok_and(|version| (6..=12).contains(&version)) {
            let text = format!(
                "{:?} is not a room version from \"6\" to \"12\"",
                self.rooms.default_version
            );
            problems.add("rooms.default_version", text);
        }
        if !self.client.base_url.is_empty()
            && !Url::parse(&self.client.base_url)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        {
            problems.add("client.base_url", "must be an http:// or https:// URL, or empty");
        }
        if !self.admin.email.is_empty() && self.admin.email.parse::<lettre::Address>().is_err() {
            problems.add("admin.email", format!("{:?} is no mail address", self.admin.email));
        }
    }

    fn check_listeners(&self, problems: &mut Problems) {
        if self.listen.http.is_empty() && self.listen.tls.is_empty() {
            problems.add("listen.http", "there is no listener: give one here or as [[listen.tls]]");
        }
        for address in &self.listen.http {
            let usable = match address.strip_prefix("unix:") {
                Some(path) => !path.is_empty(),
                None => address.parse::<SocketAddr>().is_ok(),
            };
            if !usable {
                let text = format!(
                    "{address:?} is neither ADDRESS:PORT (127.0.0.1:8008, [::]:8008) nor unix:/PATH"
                );
                problems.add("listen.http", text);
            }
        }
        for network in &self.listen.trusted_proxies {
            if parse_network(network).is_none() {
                problems
                    .add("listen.trusted_proxies", format!("{network:?} is no address or network"));
            }
        }
        if self.limits.upload_bytes_max == 0 {
            problems.add("limits.upload_bytes_max", "must be at least 1");
        }
    }

    fn check_database(&self, problems: &mut Problems) {
        let url = &self.database.url;
        let sqlite =
            url.strip_prefix("sqlite:").is_some_and(|file| !file.trim_matches('/').is_empty());
        let postgres =
            ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
                && Url::parse(url).is_ok();
        if !sqlite && !postgres {
            let text = "must be sqlite:FILE or postgres://user:password@host/database";
            problems.add("database.url", text);
        }
        if self.database.cache_mib == 0 {
            problems.add("database.cache_mib", "must be 1 or more; 384 is usual");
        }
    }

    fn check_mail(&self, problems: &mut Problems) {
        if self.mail.from.parse::<Mailbox>().is_err() {
            let text =
                format!("{:?} is no sender; \"Tern <noreply@example.org>\" is", self.mail.from);
            problems.add("mail.from", text);
        }
        let url = Url::parse(&self.mail.smtp_url)
            .is_ok_and(|url| matches!(url.scheme(), "smtp" | "smtps") && url.has_host());
        if self.mail.transport == MailTransport::Smtp && !url {
            problems.add(
                "mail.smtp_url",
                "must be an smtp:// or smtps:// URL when mail.transport is \"smtp\"",
            );
        }
    }

    fn check_networks(&self, problems: &mut Problems) {
        for network in &self.federation.allow_networks {
            if parse_network(network).is_none() {
                let text = format!("{network:?} is no network; 127.0.0.0/8 is");
                problems.add("federation.allow_networks", text);
            }
        }
        for network in &self.previews.allow_networks {
            if parse_network(network).is_none() {
                let text = format!("{network:?} is no network; 127.0.0.0/8 is");
                problems.add("previews.allow_networks", text);
            }
        }
        let lists = [
            ("previews.allow_hosts", &self.previews.allow_hosts),
            ("previews.deny_hosts", &self.previews.deny_hosts),
        ];
        for (key, hosts) in lists {
            for host in hosts {
                // Compared with what is in a URL, where a name is in its ASCII form.
                if host.is_empty() || !host.is_ascii() || host.contains([':', '/', ' ', '*']) {
                    problems.add(key, format!("{host:?} is no host; example.org is"));
                }
            }
        }
        let domains = &self.registration.email_domains;
        for domain in domains.allow.iter().chain(&domains.deny) {
            if domain.is_empty() || domain.contains(['@', ' ', '*']) {
                let text = format!("{domain:?} is no domain; example.org is");
                problems.add("registration.email_domains", text);
            }
        }
    }
}
