//! People's names, bios and verification.
//!
//! The bio is the extended profile field `gay.fomx.biography`, as `{"m.text": [{"body": …}]}` (MSC4440); `m.biography` is
//! read too.

use ruma::{
    UserId,
    api::client::profile::get_profile,
    profile::{ProfileFieldName, ProfileFieldValue},
};
use serde_json::{Value, json};

use super::{errors::explain, identity, persons, session::Session};
use crate::backend::{Profile, Report};

const BIO: &str = "gay.fomx.biography";
const STABLE_BIO: &str = "m.biography";

pub(super) async fn fetch(session: &Session, user: Option<String>) {
    let user = match user {
        None => session.user.clone(),
        Some(user) => match UserId::parse(user.trim()) {
            Ok(user) => user,
            Err(_) => {
                return session
                    .reports
                    .failed(format!("{user} is not a user id. Type it like @alice:example.org."));
            }
        },
    };
    match session.client.account().fetch_user_profile_of(&user).await {
        Ok(answer) => {
            let mut shown = profile(&user, &answer);
            shown.verified = is_verified(session, &user).await;
            shown.changed = identity::has_changed(session, &user).await;
            shown.ignored = session.client.is_user_ignored(&user).await;
            if user != session.user {
                shown.presence = persons::presence(session, &user).await;
                shown.shared = persons::shared_chats(session, &user).await;
            }
            session.reports.send(Report::Profile(shown));
        }
        Err(error) => {
            session.reports.failed(format!("{user} could not be looked up. {}", explain(&error)));
        }
    }
}

fn profile(user: &UserId, answer: &get_profile::v3::Response) -> Profile {
    let text = |field: &str| answer.get(field).and_then(Value::as_str).map(str::to_owned);
    Profile {
        user: user.to_string(),
        display_name: text("displayname"),
        bio: answer.get(BIO).or_else(|| answer.get(STABLE_BIO)).and_then(bio),
        avatar: text("avatar_url"),
        ..Profile::default()
    }
}

/// The first plain text of an extensible-text object; a bare string is taken as it is.
fn bio(value: &Value) -> Option<String> {
    let texts =
        value.get("m.text").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let plain = texts.iter().find(|text| {
        text.get("mimetype").and_then(Value::as_str).is_none_or(|mimetype| mimetype == "text/plain")
    });
    plain.and_then(|text| text.get("body")?.as_str()).or_else(|| value.as_str()).map(str::to_owned)
}

async fn is_verified(session: &Session, user: &UserId) -> bool {
    let identity = session.client.encryption().get_user_identity(user).await;
    identity.ok().flatten().is_some_and(|identity| identity.is_verified())
}

/// Sets what is given; an empty text removes the field.
pub(super) async fn set(session: &Session, display_name: Option<String>, bio: Option<String>) {
    let account = session.client.account();
    if let Some(name) = display_name {
        let name = Some(name.trim()).filter(|name| !name.is_empty());
        if let Err(error) = account.set_display_name(name).await {
            return session
                .reports
                .failed(format!("The name could not be set. {}", explain(&error)));
        }
    }
    if let Some(bio) = bio
        && let Err(error) = set_bio(session, bio.trim()).await
    {
        return session.reports.failed(format!("The bio could not be set. {}", explain(&error)));
    }
    fetch(session, None).await;
}

async fn set_bio(session: &Session, bio: &str) -> matrix_sdk::Result<()> {
    let account = session.client.account();
    if bio.is_empty() {
        return account.delete_profile_field(ProfileFieldName::from(BIO)).await;
    }
    let field = ProfileFieldValue::new(BIO, json!({ "m.text": [{ "body": bio }] }))?;
    account.set_profile_field(field).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::bio;

    #[test]
    fn a_bio_is_read_in_all_its_forms() {
        let plain = json!({ "m.text": [{ "mimetype": "text/html", "body": "<b>hi</b>" }, { "body": "hi" }] });
        assert_eq!(bio(&plain).as_deref(), Some("hi"));
        assert_eq!(bio(&json!("hi")).as_deref(), Some("hi"));
        assert_eq!(bio(&json!({ "m.text": 3 })), None);
    }
}
