//! Push rules: kept whole as account data of type `m.push_rules`; the server's defaults until a user changes one.

use ruma::{
    UserId,
    push::{Action, NewPushRule, RuleKind, Ruleset},
};
use serde_json::{Value, json};

use super::AccountError;
use crate::{
    app::App,
    storage::{self, Id, Topic, account_data::AccountData},
};

/// Most rules of a user, the server's included.
const RULES_MAX: usize = 2_000;

/// The rules of `user`.
pub async fn push_rules(app: &App, user: Id) -> Result<Ruleset, AccountError> {
    let user_id = app.db.user_name(user).await?;
    let db = app.db.read();
    let stored = storage::account_data::find_account_data(db, user, "", "m.push_rules").await?;
    read(stored, &user_id)
}

fn read(stored: Option<String>, user_id: &str) -> Result<Ruleset, AccountError> {
    let damaged = || AccountError::from(storage::Error::Damaged { what: "push rules" });
    let user_id = <&UserId>::try_from(user_id).map_err(|_| damaged())?;
    let Some(stored) = stored else { return Ok(Ruleset::server_default(user_id)) };
    let mut content: Value = serde_json::from_str(&stored).map_err(|_| damaged())?;
    let rules = content.get_mut("global").map(Value::take).unwrap_or_default();
    let mut rules: Ruleset = serde_json::from_value(rules).map_err(|_| damaged())?;
    // Rules that a later version of the server added.
    rules.update_with_server_default(Ruleset::server_default(user_id));
    Ok(rules)
}

/// Changes the rules in one write, takes a position and rings the user's bell. What was counted by the old rules stays counted.
async fn change(
    app: &App,
    user: Id,
    change: impl FnOnce(&mut Ruleset) -> Result<(), AccountError> + Send + 'static,
) -> Result<(), AccountError> {
    let user_id = app.db.user_name(user).await?;
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let db = txn.db();
            let stored =
                storage::account_data::find_account_data(db, user, "", "m.push_rules").await?;
            let mut rules = read(stored, &user_id)?;
            change(&mut rules)?;
            if rules.iter().count() > RULES_MAX {
                let text = format!("there are at most {RULES_MAX} push rules");
                return Err(AccountError::InvalidParam(text));
            }
            let data = AccountData {
                room_id: String::new(),
                data_type: "m.push_rules".to_owned(),
                content: json!({ "global": rules }).to_string(),
                position: txn.next_position_of(Topic::AccountData(user)),
            };
            Ok(storage::account_data::insert_account_data(db, user, &data).await?)
        })
    });
    write.await?;
    app.stale.mark(user);
    app.bell.ring_users([user]);
    Ok(())
}

fn not_found<E>(_: E) -> AccountError {
    AccountError::NotFound("this push rule")
}

/// Adds or replaces a rule of the user, before or after another of the user's own.
///
/// # Errors
/// [`AccountError::InvalidParam`] for a rule the server keeps for itself, [`AccountError::NotFound`] for an unknown neighbour.
pub async fn add_rule(
    app: &App,
    user: Id,
    rule: NewPushRule,
    before: Option<String>,
    after: Option<String>,
) -> Result<(), AccountError> {
    use ruma::push::InsertPushRuleError;

    change(app, user, move |rules| {
        let (kind, rule_id) = (rule.kind(), rule.rule_id().to_owned());
        let old = rules.get(kind.clone(), &rule_id).map(|old| old.enabled());
        // Moving an existing rule behind the last one would be out of bounds: it is taken out first.
        if old.is_some() && !rule_id.starts_with('.') {
            rules.remove(kind.clone(), &rule_id).map_err(not_found)?;
        }
        rules.insert(rule, after.as_deref(), before.as_deref()).map_err(|error| match error {
            InsertPushRuleError::UnknownRuleId => AccountError::NotFound("the neighbouring rule"),
            error => AccountError::InvalidParam(error.to_string()),
        })?;
        match old {
            Some(enabled) => rules.set_enabled(kind, &rule_id, enabled).map_err(not_found),
            None => Ok(()),
        }
    })
    .await
}

/// Removes a rule of the user.
///
/// # Errors
/// [`AccountError::NotFound`], [`AccountError::InvalidParam`] for one of the server's.
pub async fn remove_rule(
    app: &App,
    user: Id,
    kind: RuleKind,
    rule_id: String,
) -> Result<(), AccountError> {
    use ruma::push::RemovePushRuleError;

    change(app, user, move |rules| {
        rules.remove(kind, &rule_id).map_err(|error| match error {
            RemovePushRuleError::NotFound => AccountError::NotFound("this push rule"),
            error => AccountError::InvalidParam(error.to_string()),
        })
    })
    .await
}

/// Switches a rule on or off.
///
/// # Errors
/// [`AccountError::NotFound`].
pub async fn set_rule_enabled(
    app: &App,
    user: Id,
    kind: RuleKind,
    rule_id: String,
    enabled: bool,
) -> Result<(), AccountError> {
    change(app, user, move |rules| rules.set_enabled(kind, &rule_id, enabled).map_err(not_found))
        .await
}

/// Sets what a rule does.
///
/// # Errors
/// [`AccountError::NotFound`].
pub async fn set_rule_actions(
    app: &App,
    user: Id,
    kind: RuleKind,
    rule_id: String,
    actions: Vec<Action>,
) -> Result<(), AccountError> {
    change(app, user, move |rules| rules.set_actions(kind, &rule_id, actions).map_err(not_found))
        .await
}
