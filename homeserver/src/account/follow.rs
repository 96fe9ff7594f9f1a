//! What a user keeps about a room, taken over to the room that replaces it.

use serde_json::{Map, Value};

use crate::{
    app::App,
    storage::{self, Id, Topic, account_data::AccountData},
};

/// Takes push rules, tags and the mark of a direct chat over from the room `old` to its successor `new`. What the user keeps about
/// the successor already stays; doing it again changes nothing.
pub async fn follow_upgrade(
    app: &App,
    user: Id,
    old: &str,
    new: &str,
) -> Result<(), storage::Error> {
    let (old, new) = (old.to_owned(), new.to_owned());
    let write = app.db.write(move |txn| {
        Box::pin(async move {
            let (db, mut changed) = (txn.db(), Vec::new());
            for (data_type, change) in
                [("m.push_rules", rules as Change), ("m.direct", direct as Change)]
            {
                let found =
                    storage::account_data::find_account_data(db, user, "", data_type).await?;
                let data = found.and_then(|content| serde_json::from_str(&content).ok());
                if let Some(content) = data.and_then(|data| change(data, &old, &new)) {
                    changed.push((String::new(), data_type, content.to_string()));
                }
            }
            let find = storage::account_data::find_account_data;
            if let (Some(tags), None) =
                (find(db, user, &old, "m.tag").await?, find(db, user, &new, "m.tag").await?)
            {
                changed.push((new, "m.tag", tags));
            }
            let any = !changed.is_empty();
            for (room_id, data_type, content) in changed {
                let position = txn.next_position_of(Topic::AccountData(user));
                let data_type = data_type.to_owned();
                let data = AccountData { room_id, data_type, content, position };
                storage::account_data::insert_account_data(db, user, &data).await?;
            }
            Ok::<_, storage::Error>(any)
        })
    });
    if write.await? {
        app.stale.mark(user);
        app.bell.ring_users([user]);
    }
    Ok(())
}

/// What the data is after the upgrade; `None`: as before.
type Change = fn(Value, &str, &str) -> Option<Value>;

/// Every rule for the old room, once more for the new one, right behind it.
fn rules(mut content: Value, old: &str, new: &str) -> Option<Value> {
    let global = content.get_mut("global")?.as_object_mut()?;
    let mut changed = false;
    for kind in ["override", "room", "underride"] {
        let Some(Value::Array(rules)) = global.get_mut(kind) else { continue };
        let known: Vec<Value> =
            rules.iter().filter_map(|rule| rule.get("rule_id").cloned()).collect();
        let mut all = Vec::with_capacity(rules.len() + 1);
        for rule in std::mem::take(rules) {
            let copy = rule.as_object().and_then(|rule| rule_for(rule, old, new));
            all.push(rule);
            if let Some(copy) = copy.filter(|copy| !known.contains(&copy["rule_id"])) {
                all.push(copy);
                changed = true;
            }
        }
        *rules = all;
    }
    changed.then_some(content)
}

/// The rule for the new room, if `rule` is one for the old room.
fn rule_for(rule: &Map<String, Value>, old: &str, new: &str) -> Option<Value> {
    let rule_id = rule.get("rule_id")?.as_str()?;
    let names_room = |condition: &Value| {
        condition.get("key").and_then(Value::as_str) == Some("room_id")
            && condition.get("pattern").and_then(Value::as_str) == Some(old)
    };
    let conditions = rule.get("conditions").and_then(Value::as_array);
    let by_condition = conditions.is_some_and(|all| all.iter().any(names_room));
    if rule_id != old && !by_condition || rule_id.starts_with('.') {
        return None;
    }
    let mut copy = rule.clone();
    let copied_id = if rule_id == old { new.to_owned() } else { format!("{rule_id}.{new}") };
    copy.insert("rule_id".to_owned(), copied_id.into());
    if let Some(Value::Array(conditions)) = copy.get_mut("conditions") {
        for condition in conditions.iter_mut().filter(|condition| names_room(condition)) {
            condition.as_object_mut()?.insert("pattern".to_owned(), new.into());
        }
    }
    Some(Value::Object(copy))
}

/// Direct chats with the new room wherever the old one is.
fn direct(mut content: Value, old: &str, new: &str) -> Option<Value> {
    let mut changed = false;
    for rooms in content.as_object_mut()?.values_mut().filter_map(Value::as_array_mut) {
        let has = |room: &str| rooms.iter().any(|other| other.as_str() == Some(room));
        if has(old) && !has(new) {
            rooms.push(new.into());
            changed = true;
        }
    }
    changed.then_some(content)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{direct, rules};

    #[test]
    fn a_rule_for_the_old_room_is_there_once_more_for_the_new_one() {
        let content = json!({ "global": {
            "room": [{ "rule_id": "!old", "actions": [] }, { "rule_id": "!other", "actions": [] }],
            "override": [{ "rule_id": "mute", "conditions": [
                { "kind": "event_match", "key": "room_id", "pattern": "!old" },
            ] }],
        } });
        let after = rules(content, "!old", "!new").unwrap();
        let ids = |kind: &str| -> Vec<String> {
            let rules = after["global"][kind].as_array().unwrap().iter();
            rules.map(|rule| rule["rule_id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids("room"), ["!old", "!new", "!other"]);
        assert_eq!(ids("override"), ["mute", "mute.!new"]);
        assert_eq!(after["global"]["override"][1]["conditions"][0]["pattern"], "!new");
        assert_eq!(rules(after, "!old", "!new"), None);
    }

    #[test]
    fn a_direct_chat_stays_one() {
        let content = json!({ "@bob:example.org": ["!old", "!other"] });
        let after = direct(content, "!old", "!new").unwrap();
        assert_eq!(after, json!({ "@bob:example.org": ["!old", "!other", "!new"] }));
        assert_eq!(direct(after, "!old", "!new"), None);
    }
}
