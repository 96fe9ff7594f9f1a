//! The config file and the command line: defaults, errors that name the place, `ternd init` and what it writes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, where a panic is a failure"
)]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;
use tern_homeserver::config::{Config, EXAMPLE, MailTransport, RateLimits, RegistrationMode};

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("tern.toml")).map_err(|error| error.to_string())
}

/// A config with one more line below `server_name`, and the error it gives.
#[track_caller]
fn refusal(text: &str) -> String {
    parse(&format!("server_name = \"example.org\"\n{text}\n")).expect_err(text)
}

fn ternd(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ternd"))
        .args(arguments)
        .current_dir(folder.path())
        .env_remove("TERN_CONFIG")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn failed(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(parse(EXAMPLE).unwrap(), Config::for_server("example.org"));
}

#[test]
fn the_example_shows_every_setting() {
    let example: toml::Table = EXAMPLE.parse().unwrap();
    let default = toml::Table::try_from(Config::for_server("example.org")).unwrap();
    let keys = |table: &toml::Table| {
        let mut keys = Vec::new();
        for (name, value) in table {
            match value {
                toml::Value::Table(section) => {
                    keys.extend(section.keys().map(|key| format!("{name}.{key}")));
                }
                _ => keys.push(name.clone()),
            }
        }
        // A list of tables can only be shown as a comment.
        keys.retain(|key| key != "listen.tls");
        keys.sort();
        keys
    };
    assert_eq!(keys(&example), keys(&default));
    assert!(EXAMPLE.contains("# [[listen.tls]]"));
}

#[test]
fn only_the_server_name_must_be_set() {
    assert_eq!(parse("server_name = \"example.org\"").unwrap(), Config::for_server("example.org"));
    let error = parse("data_dir = \"data\"").unwrap_err();
    assert!(error.contains("tern.toml:1") && error.contains("server_name"), "{error}");
}

#[test]
fn an_error_names_file_line_and_key() {
    for (text, expected) in [
        ("[registration]\nmood = \"open\"", "tern.toml:3: registration.mood: unknown field `mood`"),
        (
            "[registration]\nmode = \"maybe\"",
            "tern.toml:3: registration.mode: unknown variant `maybe`",
        ),
        (
            "[limits]\nupload_bytes_max = \"big\"",
            "tern.toml:3: limits.upload_bytes_max: invalid type",
        ),
        ("[federation]\nenabled = 1", "tern.toml:3: federation.enabled: invalid type"),
        ("[federacion]\nenabled = true", "tern.toml:2: federacion: unknown field `federacion`"),
        ("[listen]\nhttp = [\"8008\"]", "tern.toml:3: listen.http: \"8008\" is neither"),
        ("[listen]\nhttp = []", "tern.toml:3: listen.http: there is no listener"),
        (
            "[listen]\ntrusted_proxies = [\"proxy\"]",
            "tern.toml:3: listen.trusted_proxies: \"proxy\"",
        ),
        ("[database]\nurl = \"mysql://x\"", "tern.toml:3: database.url: must be"),
        ("[database]\ncache_mib = 0", "tern.toml:3: database.cache_mib: must be"),
        ("[rooms]\ndefault_version = \"5\"", "tern.toml:3: rooms.default_version: \"5\" is not"),
        ("[rooms]\ndefault_version = \"13\"", "tern.toml:3: rooms.default_version: \"13\" is not"),
        ("[mail]\nfrom = \"nobody\"", "tern.toml:3: mail.from: \"nobody\""),
        ("[mail]\ntransport = \"smtp\"\nsmtp_url = \"mx\"", "tern.toml:4: mail.smtp_url: must be"),
        (
            "[federation]\nallow_networks = [\"10.0.0.0/33\"]",
            "tern.toml:3: federation.allow_networks:",
        ),
        (
            "[previews]\nallow_networks = [\"here\"]",
            "tern.toml:3: previews.allow_networks: \"here\" is no network",
        ),
        (
            "[previews]\ndeny_hosts = [\"https://example.org\"]",
            "tern.toml:3: previews.deny_hosts: \"https://example.org\" is no host",
        ),
        ("[client]\nbase_url = \"matrix.example.org\"", "tern.toml:3: client.base_url: must be"),
        ("[admin]\nemail = \"alice\"", "tern.toml:3: admin.email: \"alice\""),
    ] {
        let error = refusal(text);
        assert!(error.starts_with(expected), "{error}\n  is not\n{expected}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let error = refusal("[rooms]\ndefault_version = \"99\"\n[admin]\nemail = \"alice\"");
    assert!(error.contains("rooms.default_version") && error.contains("admin.email"), "{error}");
}

#[test]
fn a_server_name_is_checked() {
    for (name, usable) in [
        ("example.org", true),
        ("example.org:8448", true),
        ("localhost:8008", true),
        ("[2001:db8::1]:8448", true),
        ("192.0.2.1", true),
        ("https://example.org", false),
        ("example.org/path", false),
        ("@alice:example.org", false),
        ("", false),
    ] {
        let parsed = parse(&format!("server_name = {name:?}"));
        assert_eq!(parsed.is_ok(), usable, "{name}: {parsed:?}");
    }
}

#[test]
fn a_config_may_be_missing_and_says_so() {
    let folder = TempDir::new().unwrap();
    let error = failed(&ternd(&folder, &["config", "--config", "nowhere.toml"]));
    assert!(error.contains("cannot read the config nowhere.toml"), "{error}");
}

#[test]
fn a_missing_file_is_an_error_with_file_line_and_key() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tern.toml");
    let found = folder.path().join("found.pem");
    fs::write(&found, "PEM").unwrap();
    let load = |text: &str| {
        fs::write(&file, format!("server_name = \"example.org\"\n{text}")).unwrap();
        Config::load(&file).map_err(|error| error.to_string())
    };
    let tls = |certificate: &str, key: &str| {
        format!(
            "[[listen.tls]]\naddress = \"127.0.0.1:0\"\ncertificate = \"{certificate}\"\nprivate_key = \"{key}\"\n"
        )
    };
    let both = format!("{}{}", tls("found.pem", "found.pem"), tls("found.pem", "gone.pem"));
    for (text, line, key) in [
        ("[federation]\nextra_ca = [\"found.pem\", \"gone.pem\"]", 3, "federation.extra_ca"),
        ("[mail]\nsmtp_ca = [\"gone.pem\"]", 3, "mail.smtp_ca"),
        (&tls("gone.pem", "found.pem"), 4, "listen.tls.certificate"),
        (&tls("found.pem", "gone.pem"), 5, "listen.tls.private_key"),
        (&both, 9, "listen.tls.private_key"),
        ("[federation]\nextra_ca = [\".\"]", 3, "federation.extra_ca"),
    ] {
        let error = load(text).unwrap_err();
        let place = format!("{}:{line}: {key}: cannot read ", file.display());
        assert!(error.starts_with(&place), "{error}\n  is not\n{place}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    load(&tls("found.pem", "found.pem")).unwrap();
}

#[test]
fn init_leads_clients_of_a_server_on_this_machine_to_plain_http() {
    for (name, listen, expected) in [
        ("localhost", Some("127.0.0.1:8448"), "http://127.0.0.1:8448"),
        ("localhost:8008", None, "http://127.0.0.1:8008"),
        ("alpha.localhost", Some("[::1]:8009"), "http://[::1]:8009"),
        ("127.0.0.1:8008", Some("0.0.0.0:8008"), "http://127.0.0.1:8008"),
        ("[::1]", Some("[::1]:8008"), "http://[::1]:8008"),
        // Port 0 is not known yet, and who has a name has a certificate.
        ("localhost", Some("127.0.0.1:0"), ""),
        ("localhost", Some("unix:/run/tern.sock"), ""),
        ("example.org", Some("127.0.0.1:8008"), ""),
        ("notlocalhost", None, ""),
        ("192.0.2.1", None, ""),
    ] {
        let folder = TempDir::new().unwrap();
        let mut arguments = vec!["init", "--server-name", name];
        arguments.extend(listen.iter().flat_map(|listen| ["--listen", listen]));
        succeeded(&ternd(&folder, &arguments));
        let config = Config::load(&folder.path().join("tern.toml")).unwrap();
        assert_eq!(config.client.base_url, expected, "{name} {listen:?}");
    }
}

#[test]
fn init_writes_a_config_that_says_what_was_asked_for() {
    let folder = TempDir::new().unwrap();
    succeeded(&ternd(
        &folder,
        &[
            "init",
            "--server-name",
            "example.org:8448",
            "--listen",
            "127.0.0.1:0",
            "--data",
            "kept",
            "--config",
            "server/tern.toml",
            "--registration",
            "token",
            "--limits",
            "off",
            "--admin-email",
            "alice@example.org",
            "--mail",
            "smtps://user:secret@mail.example.org",
        ],
    ));
    let file = folder.path().join("server/tern.toml");
    let config = Config::load(&file).unwrap();
    assert_eq!(config.server_name, "example.org:8448");
    assert_eq!(config.listen.http, ["127.0.0.1:0"]);
    assert_eq!(config.registration.mode, RegistrationMode::Token);
    assert_eq!(config.limits.rate, RateLimits::Off);
    assert_eq!(config.admin.email, "alice@example.org");
    assert_eq!(config.mail.transport, MailTransport::Smtp);
    assert_eq!(config.mail.from, "Tern <noreply@example.org>");
    // What was not asked for is the default, with its comment.
    let text = fs::read_to_string(&file).unwrap();
    let comments = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
    assert_eq!(comments(&text), comments(EXAMPLE));

    let kept = folder.path().join("kept");
    assert_eq!(config.data_dir.canonicalize().unwrap(), kept.canonicalize().unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&kept.join("signing.key")), 0o600);
    assert_eq!(mode(&kept), 0o700);
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn init_never_overwrites() {
    let folder = TempDir::new().unwrap();
    let arguments = ["init", "--server-name", "example.org"];
    succeeded(&ternd(&folder, &arguments));
    let key = fs::read(folder.path().join("data/signing.key")).unwrap();
    let error = failed(&ternd(&folder, &arguments));
    assert!(error.contains("tern.toml exists already"), "{error}");
    assert_eq!(fs::read(folder.path().join("data/signing.key")).unwrap(), key);
}

#[test]
fn init_without_a_terminal_needs_the_name() {
    let folder = TempDir::new().unwrap();
    let error = failed(&ternd(&folder, &["init"]));
    assert!(error.contains("--server-name"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn init_refuses_a_bad_answer_before_it_writes() {
    let folder = TempDir::new().unwrap();
    let error = failed(&ternd(&folder, &["init", "--server-name", "exa mple"]));
    assert!(error.contains("server_name"), "{error}");
    let error =
        failed(&ternd(&folder, &["init", "--server-name", "example.org", "--listen", "8008"]));
    assert!(error.contains("listen.http"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_effective_config_hides_passwords() {
    let folder = TempDir::new().unwrap();
    let text = "server_name = \"example.org\"\n[database]\nurl = \"postgres://tern:hunter2@db/tern\"\n\
        [mail]\ntransport = \"smtp\"\nsmtp_url = \"smtp://tern:hunter2@mail.example.org:587\"\n";
    fs::write(folder.path().join("tern.toml"), text).unwrap();
    let shown = succeeded(&ternd(&folder, &["config"]));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("postgres://tern:hidden@db/tern"), "{shown}");
    let table: toml::Table = shown.parse().unwrap();
    assert_eq!(table["registration"]["mode"].as_str(), Some("email"));
}

#[test]
fn mails_are_shown_oldest_first_and_as_json() {
    let folder = TempDir::new().unwrap();
    succeeded(&ternd(&folder, &["init", "--server-name", "example.org"]));
    assert!(succeeded(&ternd(&folder, &["mail"])).contains("no mails"));
    let mails = folder.path().join("data/mail");
    fs::create_dir(&mails).unwrap();
    let mail = |subject: &str| {
        format!(
            r#"{{"to":"alice@example.org","subject":"{subject}","text":"code ABC\u001b[2J","html":"<p>","date":1700000000000}}"#
        )
    };
    fs::write(mails.join("1.json"), mail("first")).unwrap();
    fs::write(mails.join("2.json"), mail("second")).unwrap();
    let earlier = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(60);
    fs::File::options()
        .write(true)
        .open(mails.join("1.json"))
        .unwrap()
        .set_modified(earlier)
        .unwrap();

    let shown = succeeded(&ternd(&folder, &["mail"]));
    assert!(shown.find("first").unwrap() < shown.find("second").unwrap());
    assert!(!shown.contains('\u{1b}'), "a mail steers the terminal");

    let lines = succeeded(&ternd(&folder, &["mail", "--json"]));
    let mails: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[1]["subject"], "second");
    assert_eq!(mails[1]["to"], "alice@example.org");
    assert!(mails[1]["file"].as_str().unwrap().ends_with("2.json"));
}

#[test]
fn a_token_is_made_and_printed() {
    let folder = TempDir::new().unwrap();
    succeeded(&ternd(&folder, &["init", "--server-name", "example.org"]));
    let first = succeeded(&ternd(&folder, &["token", "--uses", "1"]));
    let second = succeeded(&ternd(&folder, &["token"]));
    assert_eq!(first.trim().len(), 20);
    assert_ne!(first, second);
}
