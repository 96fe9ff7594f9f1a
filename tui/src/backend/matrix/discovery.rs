//! Finding the homeserver behind a URL, server name, email address or user id, and asking it how one gets in.

use ruma::{ServerName, UserId};
use serde_json::{Value, json};
use url::Url;

use super::{
    http::is_loopback,
    registration,
    wire::{self, WireError},
};
use crate::backend::{ServerInfo, SsoProvider};

/// A server that answers Matrix.
#[derive(Debug, Clone)]
pub(super) struct FoundServer {
    pub(super) base: Url,
    pub(super) info: ServerInfo,
}

/// What the user typed, understood.
#[derive(Debug, PartialEq)]
enum Target {
    Url(Url),
    Name(String),
}

/// Finds the homeserver for `input`; the error is a reason with what to try next.
pub(super) async fn find(http: &reqwest::Client, input: &str) -> Result<FoundServer, String> {
    match target(input)? {
        Target::Url(url) => by_url(http, url).await,
        Target::Name(name) => by_name(http, &name).await,
    }
}

fn target(input: &str) -> Result<Target, String> {
    let input = input.trim();
    if input.is_empty() {
        return Err("Type a server (example.org), an email address or @user:server.".to_owned());
    }
    if input.starts_with("http://") || input.starts_with("https://") {
        return match Url::parse(input) {
            Ok(url) if url.has_host() => Ok(Target::Url(url)),
            _ => Err(format!(
                "{input} is not a web address. Type it like https://matrix.example.org."
            )),
        };
    }
    let name = if input.starts_with('@') {
        let user = UserId::parse(input)
            .map_err(|_| format!("{input} is not a user id. Type it like @alice:example.org."))?;
        user.server_name().as_str().to_owned()
    } else if let Some((_, domain)) = input.rsplit_once('@') {
        domain.to_owned()
    } else {
        input.trim_end_matches('/').to_owned()
    };
    match ServerName::parse(&name) {
        Ok(name) => Ok(Target::Name(name.to_string())),
        Err(_) => Err(format!("{name} is not a server name. Type it like example.org.")),
    }
}

async fn by_url(http: &reqwest::Client, url: Url) -> Result<FoundServer, String> {
    match versions(http, &url).await {
        Ok(()) => {
            let name = name_of(http, &url).await;
            Ok(ask(http, url, name).await)
        }
        Err(direct) => {
            let Some(name) = authority(&url) else { return Err(direct.explain()) };
            match well_known(http, &url).await {
                Some(base) if versions(http, &base).await.is_ok() => {
                    Ok(ask(http, base, name).await)
                }
                _ => Err(format!("No homeserver at {url}: {}", direct.explain())),
            }
        }
    }
}

async fn by_name(http: &reqwest::Client, name: &str) -> Result<FoundServer, String> {
    let secure = Url::parse(&format!("https://{name}"));
    let Ok(secure) = secure else { return Err(format!("{name} is not a server name.")) };
    if let Some(base) = well_known(http, &secure).await
        && versions(http, &base).await.is_ok()
    {
        return Ok(ask(http, base, name.to_owned()).await);
    }
    let failure = match versions(http, &secure).await {
        Ok(()) => return Ok(ask(http, secure, name.to_owned()).await),
        Err(error) => error,
    };
    // Passwords never go over the network in clear unless the user typed http:// themselves.
    if secure.host_str().is_some_and(is_loopback)
        && let Ok(plain) = Url::parse(&format!("http://{name}"))
        && versions(http, &plain).await.is_ok()
    {
        let name = name_of(http, &plain).await;
        return Ok(ask(http, plain, name).await);
    }
    Err(format!(
        "No homeserver found for {name}: {} You can also type its full address (https://…).",
        failure.explain()
    ))
}

/// The base URL in `/.well-known/matrix/client` of `origin`; plain http only where the origin is plain or loopback.
async fn well_known(http: &reqwest::Client, origin: &Url) -> Option<Url> {
    let answer = wire::get(
        http,
        wire::endpoint(
            &Url::parse(&origin.origin().ascii_serialization()).ok()?,
            "/.well-known/matrix/client",
        ),
    )
    .await
    .ok()?;
    let base = answer.get("m.homeserver")?.get("base_url")?.as_str()?;
    let base = Url::parse(base).ok()?;
    let plain_allowed = origin.scheme() == "http" || base.host_str().is_some_and(is_loopback);
    (base.scheme() == "https" || (base.scheme() == "http" && plain_allowed)).then_some(base)
}

async fn versions(http: &reqwest::Client, base: &Url) -> Result<(), WireError> {
    let answer = wire::get(http, wire::endpoint(base, "/_matrix/client/versions")).await?;
    if answer.get("versions").is_some_and(Value::is_array) {
        Ok(())
    } else {
        Err(WireError::NotMatrix)
    }
}

fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

/// The server's own name where it publishes its signing keys, else the address.
async fn name_of(http: &reqwest::Client, base: &Url) -> String {
    let keys = wire::get(http, wire::endpoint(base, "/_matrix/key/v2/server")).await.ok();
    let published = keys
        .as_ref()
        .and_then(|keys| keys.get("server_name")?.as_str())
        .filter(|name| ServerName::parse(*name).is_ok());
    match published {
        Some(name) => name.to_owned(),
        None => authority(base).unwrap_or_else(|| base.to_string()),
    }
}

/// Asks for the ways in. A server that answers neither question still can be tried.
async fn ask(http: &reqwest::Client, base: Url, name: String) -> FoundServer {
    let (ways, flows) = tokio::join!(registration_ways(http, &base), login_flows(http, &base));
    let info = ServerInfo {
        name,
        url: base.to_string(),
        registration: ways.open,
        wants_email: ways.wants_email,
        wants_token: ways.wants_token,
        takes_email: ways.takes_email,
        password_login: flow(&flows, "m.login.password").is_some(),
        sso: flow(&flows, "m.login.sso").map_or_else(Vec::new, providers),
    };
    FoundServer { base, info }
}

/// `GET /login` (client-server API §5.4).
async fn login_flows(http: &reqwest::Client, base: &Url) -> Vec<Value> {
    let answer = wire::get(http, wire::endpoint(base, "/_matrix/client/v3/login")).await;
    let flows = answer.ok().and_then(|answer| answer.get("flows")?.as_array().cloned());
    flows.unwrap_or_default()
}

fn flow<'a>(flows: &'a [Value], kind: &str) -> Option<&'a Value> {
    flows.iter().find(|flow| flow.get("type").and_then(Value::as_str) == Some(kind))
}

/// Who vouches for people there. A server that names nobody asks them itself.
fn providers(flow: &Value) -> Vec<SsoProvider> {
    let named = flow.get("identity_providers").and_then(Value::as_array);
    let named: Vec<SsoProvider> = named
        .into_iter()
        .flatten()
        .filter_map(|provider| {
            let text = |key: &str| provider.get(key).and_then(Value::as_str).map(str::to_owned);
            let id = text("id")?;
            Some(SsoProvider { name: text("name").unwrap_or_else(|| id.clone()), id: Some(id) })
        })
        .collect();
    if named.is_empty() {
        vec![SsoProvider { id: None, name: "single sign-on".to_owned() }]
    } else {
        named
    }
}

/// `POST /register` with nothing in it: the 401 names the flows (spec: client-server API §5.5).
async fn registration_ways(http: &reqwest::Client, base: &Url) -> registration::Ways {
    let url = wire::endpoint(base, "/_matrix/client/v3/register");
    match wire::post(http, url, &json!({})).await {
        Err(WireError::Refused(refusal)) if refusal.status == 401 => {
            registration::Ways::of(&registration::flows(&refusal.body))
        }
        _ => registration::Ways::default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Target, providers, target};

    #[test]
    fn user_ids_emails_and_names_lead_to_their_server() {
        for input in ["@alice:example.org", "alice@example.org", "example.org", " example.org/ "] {
            assert_eq!(target(input), Ok(Target::Name("example.org".to_owned())), "{input}");
        }
        assert_eq!(
            target("alpha.localhost:8448"),
            Ok(Target::Name("alpha.localhost:8448".to_owned()))
        );
        assert!(matches!(target("https://matrix.example.org"), Ok(Target::Url(_))));
    }

    #[test]
    fn a_server_that_names_no_provider_has_one_all_the_same() {
        let named = json!({ "type": "m.login.sso", "identity_providers": [
            { "id": "oidc-work", "name": "Work" }, { "id": "cas" }, { "name": "nobody" },
        ] });
        let named: Vec<_> = providers(&named)
            .into_iter()
            .map(|one| (one.id.unwrap_or_default(), one.name))
            .collect();
        let pair = |id: &str, name: &str| (id.to_owned(), name.to_owned());
        assert_eq!(named, [pair("oidc-work", "Work"), pair("cas", "cas")]);
        let unnamed = providers(&json!({ "type": "m.login.sso" }));
        assert_eq!(unnamed.first().map(|one| one.id.clone()), Some(None));
        assert_eq!(unnamed.len(), 1);
    }

    #[test]
    fn nonsense_is_answered_with_an_example() {
        for input in ["", "http://", "@alice", "exa mple"] {
            assert!(target(input).is_err(), "{input}");
        }
    }
}
