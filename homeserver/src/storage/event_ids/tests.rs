//! Ids that go from memory into the table, whatever happens meanwhile.

use sea_orm::{ConnectOptions, Database as Connection};

use super::*;
use crate::storage::{Database, NewEvent, events::find_event};

/// So many in memory begin a sweep here.
const MANY: usize = 200;

fn name(number: Id) -> String {
    format!("$event{number}")
}

fn batch(events: impl IntoIterator<Item = (Id, String)>) -> EventBatch {
    let event = |(id, event_id)| NewEvent {
        id,
        event_id,
        event_type: "m.room.message".to_owned(),
        sender: 1,
        state_key: None,
        depth: 1,
        at_ms: 1,
        timeline_order: Some(id),
        state_before: None,
        state_after: None,
        countable: 0,
        thread: None,
        thread_countable: None,
        flags: 0,
        json: b"{}".to_vec(),
        auth: None,
    };
    let events = events.into_iter().map(event).collect();
    EventBatch { room: 1, events, ..EventBatch::default() }
}

/// A new database, and one more connection to it.
async fn opened(folder: &tempfile::TempDir) -> (Database, DatabaseConnection) {
    let db = Database::open("sqlite:ids.db", folder.path(), "example.org").await.unwrap();
    let url = format!("sqlite:{}", folder.path().join("ids.db").display());
    let mut options = ConnectOptions::new(url);
    options.max_connections(1);
    (db, Connection::connect(options).await.unwrap())
}

async fn count(db: &impl ConnectionTrait, table: &str) -> usize {
    let row = query_one(db, &format!("SELECT COUNT(*) FROM {table}"), values![]).await.unwrap();
    usize::try_from(row.unwrap().get::<i64>(0).unwrap()).unwrap()
}

/// The events that have these ids.
async fn found(ids: &EventIds, db: &impl ConnectionTrait, names: &[&str]) -> Vec<Id> {
    let mut bound = Vec::new();
    let sql = format!("SELECT id FROM events WHERE {} ORDER BY id", ids.named(names, &mut bound));
    let rows = query_all(db, &sql, bound).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

/// Writes events in one commit as the writer does, or takes them back.
async fn write(ids: &EventIds, db: &DatabaseConnection, numbers: &[Id], is_kept: bool) {
    let txn = db.begin().await.unwrap();
    for number in numbers {
        let event = format!(
            "INSERT INTO events (id, event_id, room, event_type, sender, depth, at_ms, countable, flags, json) \
             VALUES ({number}, '{}', 1, 'm.room.message', 1, 1, 1, 0, 0, x'7b7d')",
            name(*number)
        );
        txn.execute_unprepared(&event).await.unwrap();
    }
    let events = numbers.iter().map(|number| (*number, name(*number)));
    ids.note(&txn, &[batch(events)]).await.unwrap();
    if is_kept {
        txn.commit().await.unwrap();
        ids.committed();
    } else {
        txn.rollback().await.unwrap();
    }
}

/// Writes 1,200 events in lives of so many, some of them twice for the first fails; all are found all the time, and neither the
/// memory nor the log grows for ever.
async fn live(life: Id) {
    let folder = tempfile::tempdir().unwrap();
    let (_db, writer) = opened(&folder).await;
    let mut ids = EventIds::with(&writer, MANY).await.unwrap();
    for number in 1..=1_200 {
        if number % 37 == 0 {
            write(&ids, &writer, &[number], false).await;
        }
        write(&ids, &writer, &[number], true).await;
        if number % life == 0 {
            ids = EventIds::with(&writer, MANY).await.unwrap();
        }
        let asked = BTreeSet::from([number, number / 2 + 1, number / 7 + 1]);
        let names: Vec<String> = asked.iter().copied().map(name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(found(&ids, &writer, &names).await, Vec::from_iter(asked), "{number}");
    }
    let table = count(&writer, "event_ids").await;
    let log = count(&writer, "event_ids_log").await;
    let memory = lock(ids.0.as_ref().unwrap()).pairs.len();
    assert!(table > 700 && memory <= 300, "{table} {memory}");
    // A row begins when one is full, at a start, after a commit that failed and with a sweep.
    let rows = 500 / ROW + 500 / usize::try_from(life).unwrap() + 500 / 37 + 2;
    assert!(log <= rows, "{log} of {rows}");
    assert!(found(&ids, &writer, &["$unknown", "$other"]).await.is_empty());
    for number in 1..=1_200 {
        assert_eq!(found(&ids, &writer, &[&name(number)]).await, [number]);
    }
}

#[tokio::test]
async fn an_event_is_found_by_its_id_whenever_sweeps_and_restarts_come() {
    live(700).await;
    // Shorter than a sweep, and than what moves some on.
    live(45).await;
    live(7).await;
}

#[tokio::test]
async fn large_commits_and_sweeps_that_end_in_the_commit_they_begin_in_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_db, writer) = opened(&folder).await;
    let mut next = 1;
    for (sweep_at, size) in [(1, 100), (1, 3), (1, 40), (1_000, 700), (1, 1), (300, 150), (1, 600)]
    {
        let ids = EventIds::with(&writer, sweep_at).await.unwrap();
        for _ in 0..3 {
            let numbers: Vec<Id> = (next..next + size).collect();
            write(&ids, &writer, &numbers, false).await;
            write(&ids, &writer, &numbers, true).await;
            next += size;
        }
        let again = EventIds::with(&writer, sweep_at).await.unwrap();
        for number in 1..next {
            assert_eq!(found(&ids, &writer, &[&name(number)]).await, [number]);
            assert_eq!(found(&again, &writer, &[&name(number)]).await, [number], "after a start");
        }
    }
}

#[tokio::test]
async fn a_log_that_is_damaged_is_made_up_for_by_the_events() {
    let folder = tempfile::tempdir().unwrap();
    let (_db, writer) = opened(&folder).await;
    let ids = EventIds::with(&writer, MANY).await.unwrap();
    write(&ids, &writer, &[1, 2, 3], true).await;
    writer.execute_unprepared("UPDATE event_ids_log SET pairs = x'00'").await.unwrap();
    let ids = EventIds::with(&writer, MANY).await.unwrap();
    assert_eq!(found(&ids, &writer, &[&name(1), &name(2), &name(3)]).await, [1, 2, 3]);
    assert_eq!(count(&writer, "event_ids_log").await, 0, "it would be damaged at each start");
    // Emptied by hand, with the log still there.
    write(&ids, &writer, &[4], true).await;
    writer.execute_unprepared("DELETE FROM event_ids").await.unwrap();
    let ids = EventIds::with(&writer, MANY).await.unwrap();
    assert_eq!(found(&ids, &writer, &[&name(1), &name(4)]).await, [1, 4]);
}

#[tokio::test]
async fn what_another_program_wrote_meanwhile_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (db, other) = opened(&folder).await;
    db.append(batch([(1, name(1))])).await.unwrap();
    db.close().await;
    let copy = format!(
        "INSERT INTO events (id, event_id, room, event_type, sender, depth, at_ms, countable, flags, json) \
         SELECT 2, '{}', room, event_type, sender, depth, at_ms, countable, flags, json FROM events",
        name(2)
    );
    other.execute_unprepared(&copy).await.unwrap();
    let (db, _) = opened(&folder).await;
    for number in [1, 2] {
        let found = find_event(&db, &name(number)).await.unwrap();
        assert_eq!(found.map(|event| event.id), Some(number));
    }
}

#[tokio::test]
async fn an_id_is_there_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let (db, _) = opened(&folder).await;
    db.append(batch([(1, name(1)), (2, name(2))])).await.unwrap();
    db.append(batch([(3, name(1))])).await.unwrap_err();
    db.append(batch([(4, name(4)), (5, name(4))])).await.unwrap_err();
    // So does one that this server has from another to make it complete, whatever it is called.
    let mut signed_here = batch([(7, name(2))]);
    for event in &mut signed_here.events {
        (event.flags, event.state_key) = (events::LOCAL, Some(1));
    }
    db.append(signed_here).await.unwrap_err();
    // The same event again is no other.
    db.append(batch([(2, name(2)), (6, name(6))])).await.unwrap();
    for (number, id) in [(1, Some(1)), (2, Some(2)), (4, None), (6, Some(6))] {
        let found = find_event(&db, &name(number)).await.unwrap();
        assert_eq!(found.map(|event| event.id), id, "{number}");
    }
}

#[tokio::test]
async fn a_database_without_the_table_of_ids_has_it_made_from_its_events() {
    let folder = tempfile::tempdir().unwrap();
    let (db, other) = opened(&folder).await;
    db.append(batch((1..=50).map(|number| (number, name(number))))).await.unwrap();
    db.close().await;
    for table in ["event_ids", "event_ids_log"] {
        other.execute_unprepared(&format!("DELETE FROM {table}")).await.unwrap();
    }
    let (db, _) = opened(&folder).await;
    for number in [1, 23, 50] {
        let found = find_event(&db, &name(number)).await.unwrap();
        assert_eq!(found.map(|event| event.id), Some(number));
    }
    assert_eq!(count(&other, "event_ids").await, 50);
}
