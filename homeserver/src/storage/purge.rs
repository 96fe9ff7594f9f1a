//! Taking a room out of the database, its history and its state. For a server that does not run: what is in memory would go on
//! referring to it.

use super::{
    Database, Error, Id, Row, Txn, execute,
    insert::in_chunks,
    query_all, query_one,
    retention::{delete_in_pieces, give_back},
    rooms::find_room,
    search::forget_words,
    values,
};

/// What became of a room that was to be purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purged {
    /// It is gone, and so many events with it.
    Gone {
        events: u64,
    },
    Unknown,
    /// So many users of this server are in it, invited or knocking.
    InUse {
        users: i64,
    },
}

/// The tables with a column `room`. Events go last but for the room itself: an interrupted purge is gone on with by the next.
const OF_ROOMS: [&str; 9] = [
    "push_actions",
    "receipts",
    "waiting_receipts",
    "relations",
    "backward_extremities",
    "threads",
    "staged_events",
    "memberships",
    "state_snapshots",
];

/// Removes a room that nobody of this server is in, in pieces, and gives the room on the disk back. Users keep what they noted about
/// it.
pub async fn purge_room(db: &Database, room_id: &str) -> Result<Purged, Error> {
    const USERS: &str = "SELECT COUNT(*) FROM memberships m JOIN accounts a ON a.user_id = m.user_id \
         WHERE m.room = $1 AND m.membership IN ('join', 'invite', 'knock')";
    let Some(room) = find_room(db, room_id).await? else { return Ok(Purged::Unknown) };
    let row = query_one(db.read(), USERS, values![room.id]).await?;
    let users: i64 = row.ok_or(Error::Damaged { what: "count" })?.get(0)?;
    if users > 0 {
        return Ok(Purged::InUse { users });
    }
    forget_words(db, room.id).await?;
    for table in OF_ROOMS {
        delete_in_pieces(db, table, "room = $1", values![room.id]).await?;
    }
    delete_in_pieces(db, "aliases", "room_id = $1", values![room_id]).await?;
    let of = db.clone();
    db.write(move |txn| Box::pin(async move { of.event_ids().settle(txn.db()).await })).await?;
    let events = delete_events(db, room.id).await?;
    db.write::<_, Error, _>(move |txn| {
        Box::pin(async move {
            execute(txn.db(), "DELETE FROM rooms WHERE id = $1", values![room.id]).await.map(drop)
        })
    })
    .await?;
    give_back(db).await?;
    Ok(Purged::Gone { events })
}

/// Deletes a room's events in pieces, and their ids. Returns how many there were.
async fn delete_events(db: &Database, room: Id) -> Result<u64, Error> {
    const PIECE: &str =
        "SELECT event_id, id FROM events WHERE room = $1 AND id > $2 ORDER BY id LIMIT 1000";
    let (mut gone, mut after) = (0, 0);
    loop {
        let piece = query_all(db.read(), PIECE, values![room, after]).await?;
        let read = |row: &Row| Ok((row.get(0)?, row.get(1)?));
        let piece: Vec<(String, Id)> = piece.iter().map(read).collect::<Result<_, Error>>()?;
        let Some((_, last)) = piece.last() else { return Ok(gone) };
        after = *last;
        let of = db.clone();
        gone += db.write::<_, Error, _>(move |txn| Box::pin(delete(txn, of, piece))).await?;
    }
}

async fn delete(txn: &Txn, of: Database, events: Vec<(String, Id)>) -> Result<u64, Error> {
    of.event_ids().forget(txn.db(), &events).await?;
    let count = u64::try_from(events.len()).unwrap_or_default();
    let ids = events.into_iter().map(|(_, id)| values![id]).collect();
    in_chunks(txn.db(), ("DELETE FROM events WHERE id IN (", ")"), ids).await?;
    Ok(count)
}
