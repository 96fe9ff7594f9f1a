//! Interned names: users and state keys as small integers inside, as text at the edge.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
    sync::{Arc, PoisonError, RwLock},
};

use super::{Database, Error, Id, execute, insert, query_all, query_one, values};

/// Entries a cache holds before it starts afresh; an entry is about 150 bytes.
const CACHE_MAX: usize = 200_000;
/// Names interned in one piece of the writer's time.
const BULK: usize = 500;

/// An event type with its state key: one slot of a room's state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateKey {
    pub event_type: String,
    pub state_key: String,
}

/// The caches of interned names. The database behind them is asked once a name.
#[derive(Debug, Default)]
pub struct Names {
    users: Cache<String>,
    servers: Cache<String>,
    state_keys: Cache<StateKey>,
}

#[derive(Debug)]
struct Cache<K> {
    maps: RwLock<Maps<K>>,
}

/// Both directions of the same names.
#[derive(Debug)]
struct Maps<K> {
    ids: HashMap<K, Id>,
    names: HashMap<Id, Arc<K>>,
}

impl<K> Default for Maps<K> {
    fn default() -> Self {
        Self { ids: HashMap::new(), names: HashMap::new() }
    }
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self { maps: RwLock::default() }
    }
}

impl<K: Clone + Eq + Hash> Cache<K> {
    fn id(&self, key: &K) -> Option<Id> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).ids.get(key).copied()
    }

    fn name(&self, id: Id) -> Option<Arc<K>> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).names.get(&id).cloned()
    }

    fn keep(&self, id: Id, key: K) -> Arc<K> {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        if maps.ids.len() >= CACHE_MAX {
            *maps = Maps::default();
        }
        maps.ids.insert(key.clone(), id);
        let key = Arc::new(key);
        maps.names.insert(id, key.clone());
        key
    }
}

/// Where names of one kind are: the column, and what its rows have in common.
struct Table<'a> {
    name: &'a str,
    prefix: Option<(&'a str, &'a str)>,
    column: &'a str,
}

impl Table<'_> {
    async fn find(&self, db: &Database, names: &[String]) -> Result<Vec<(String, Id)>, Error> {
        let mut values: Vec<sea_orm::Value> =
            names.iter().map(|name| name.as_str().into()).collect();
        let marks: Vec<String> = (1..=names.len()).map(|mark| format!("${mark}")).collect();
        let Self { name, prefix, column } = self;
        let mut sql =
            format!("SELECT {column}, id FROM {name} WHERE {column} IN ({})", marks.join(", "));
        if let Some((common, value)) = prefix {
            values.push((*value).into());
            sql.push_str(&format!(" AND {common} = ${}", values.len()));
        }
        let rows = query_all(db.read(), &sql, values).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }
}

impl Database {
    /// The id of `user_id`, interned now if it was unknown.
    pub async fn user(&self, user_id: &str) -> Result<Id, Error> {
        let cache = &self.names().users;
        if let Some(id) = self.find_user(user_id).await? {
            return Ok(id);
        }
        let server = user_id.split_once(':').map(|(_, server)| server).unwrap_or_default();
        let row = values![self.new_id(), user_id, server];
        const INSERT: &str =
            "INSERT INTO users (id, user_id, server) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        self.write(move |txn| Box::pin(async move { execute(txn.db(), INSERT, row).await }))
            .await?;
        let table = ("users", "user_id");
        self.find(cache, user_id.to_owned(), table).await?.ok_or(Error::Damaged { what: "user" })
    }

    /// The id of `user_id` if this server ever heard of it.
    pub async fn find_user(&self, user_id: &str) -> Result<Option<Id>, Error> {
        self.find(&self.names().users, user_id.to_owned(), ("users", "user_id")).await
    }

    /// The user id behind an id.
    pub async fn user_name(&self, id: Id) -> Result<Arc<String>, Error> {
        self.name(&self.names().users, id, ("users", "user_id")).await
    }

    /// The id of a server name, interned now if it was unknown.
    pub async fn server(&self, name: &str) -> Result<Id, Error> {
        let (cache, table) = (&self.names().servers, ("servers", "name"));
        if let Some(id) = self.find(cache, name.to_owned(), table).await? {
            return Ok(id);
        }
        let row = values![self.new_id(), name];
        const INSERT: &str =
            "INSERT INTO servers (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        self.write(move |txn| Box::pin(async move { execute(txn.db(), INSERT, row).await }))
            .await?;
        let id = self.find(cache, name.to_owned(), table).await?;
        id.ok_or(Error::Damaged { what: "server name" })
    }

    /// The server name behind an id.
    pub async fn server_name(&self, id: Id) -> Result<Arc<String>, Error> {
        self.name(&self.names().servers, id, ("servers", "name")).await
    }

    /// The id of a slot of room state, interned now if it was unknown.
    pub async fn state_key(&self, event_type: &str, state_key: &str) -> Result<Id, Error> {
        if let Some(id) = self.find_state_key(event_type, state_key).await? {
            return Ok(id);
        }
        let id = self.new_id();
        let row = values![id, event_type, state_key];
        const INSERT: &str = "INSERT INTO state_keys (id, event_type, state_key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        self.write(move |txn| Box::pin(async move { execute(txn.db(), INSERT, row).await }))
            .await?;
        let id = self.find_state_key(event_type, state_key).await?;
        id.ok_or(Error::Damaged { what: "state key" })
    }

    /// The id of a slot of room state, if any room ever had it. For names that strangers choose.
    pub async fn find_state_key(
        &self,
        event_type: &str,
        state_key: &str,
    ) -> Result<Option<Id>, Error> {
        let key = StateKey { event_type: event_type.to_owned(), state_key: state_key.to_owned() };
        let cache = &self.names().state_keys;
        if let Some(id) = cache.id(&key) {
            return Ok(Some(id));
        }
        const FIND: &str = "SELECT id FROM state_keys WHERE event_type = $1 AND state_key = $2";
        let row = query_one(self.read(), FIND, values![event_type, state_key]).await?;
        let Some(row) = row else { return Ok(None) };
        let id = row.get(0)?;
        cache.keep(id, key);
        Ok(Some(id))
    }

    /// The type and state key behind an id.
    pub async fn state_key_name(&self, id: Id) -> Result<Arc<StateKey>, Error> {
        if let Some(key) = self.names().state_keys.name(id) {
            return Ok(key);
        }
        const FIND: &str = "SELECT event_type, state_key FROM state_keys WHERE id = $1";
        let row = query_one(self.read(), FIND, values![id])
            .await?
            .ok_or(Error::Damaged { what: "state key" })?;
        let key = StateKey { event_type: row.get(0)?, state_key: row.get(1)? };
        Ok(self.names().state_keys.keep(id, key))
    }

    /// The ids of many users, those unknown interned now: as [`Database::user`], but a round trip for hundreds.
    pub async fn users(&self, user_ids: &[&str]) -> Result<HashMap<String, Id>, Error> {
        let cache = &self.names().users;
        let (mut ids, mut unknown) = (HashMap::with_capacity(user_ids.len()), Vec::new());
        for user_id in user_ids {
            match cache.id(&(*user_id).to_owned()) {
                Some(id) => drop(ids.insert((*user_id).to_owned(), id)),
                None => unknown.push((*user_id).to_owned()),
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        let table = Table { name: "users", prefix: None, column: "user_id" };
        for names in unknown.chunks(BULK) {
            let row = |name: &String| {
                let server = name.split_once(':').map(|(_, server)| server).unwrap_or_default();
                values![self.new_id(), name.as_str(), server]
            };
            let target = "users (id, user_id, server)";
            for (name, id) in self.intern(&table, target, names, row).await? {
                cache.keep(id, name.clone());
                ids.insert(name, id);
            }
        }
        Ok(ids)
    }

    /// The ids of many slots of room state, those unknown interned now: as [`Database::state_key`], but a round trip for hundreds.
    pub async fn state_keys(&self, keys: &[StateKey]) -> Result<HashMap<StateKey, Id>, Error> {
        let cache = &self.names().state_keys;
        let mut ids = HashMap::with_capacity(keys.len());
        let mut unknown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for key in keys {
            match cache.id(key) {
                Some(id) => drop(ids.insert(key.clone(), id)),
                None => unknown.entry(&key.event_type).or_default().push(key.state_key.clone()),
            }
        }
        for (event_type, mut names) in unknown {
            names.sort_unstable();
            names.dedup();
            let prefix = Some(("event_type", event_type));
            let table = Table { name: "state_keys", prefix, column: "state_key" };
            for names in names.chunks(BULK) {
                let row = |name: &String| values![self.new_id(), event_type, name.as_str()];
                let target = "state_keys (id, event_type, state_key)";
                for (state_key, id) in self.intern(&table, target, names, row).await? {
                    let key = StateKey { event_type: event_type.to_owned(), state_key };
                    cache.keep(id, key.clone());
                    ids.insert(key, id);
                }
            }
        }
        Ok(ids)
    }

    /// The ids of at most [`BULK`] names: read, and what is not there inserted in one write and read again, for somebody else may
    /// have inserted it meanwhile.
    async fn intern(
        &self,
        table: &Table<'_>,
        target: &'static str,
        names: &[String],
        row: impl Fn(&String) -> Vec<sea_orm::Value>,
    ) -> Result<Vec<(String, Id)>, Error> {
        let mut found = table.find(self, names).await?;
        if found.len() == names.len() {
            return Ok(found);
        }
        let known: HashSet<&String> = found.iter().map(|(name, _)| name).collect();
        let missing: Vec<String> =
            names.iter().filter(|name| !known.contains(name)).cloned().collect();
        let rows: Vec<_> = missing.iter().map(row).collect();
        self.write(move |txn| {
            Box::pin(async move { insert(txn.db(), target, "ON CONFLICT DO NOTHING", rows).await })
        })
        .await?;
        found.extend(table.find(self, &missing).await?);
        if found.len() == names.len() { Ok(found) } else { Err(Error::Damaged { what: "name" }) }
    }

    async fn find(
        &self,
        cache: &Cache<String>,
        name: String,
        table: (&str, &str),
    ) -> Result<Option<Id>, Error> {
        if let Some(id) = cache.id(&name) {
            return Ok(Some(id));
        }
        let sql = format!("SELECT id FROM {} WHERE {} = $1", table.0, table.1);
        let Some(row) = query_one(self.read(), &sql, values![name.as_str()]).await? else {
            return Ok(None);
        };
        let id = row.get(0)?;
        cache.keep(id, name);
        Ok(Some(id))
    }

    async fn name(
        &self,
        cache: &Cache<String>,
        id: Id,
        table: (&str, &str),
    ) -> Result<Arc<String>, Error> {
        if let Some(name) = cache.name(id) {
            return Ok(name);
        }
        let sql = format!("SELECT {} FROM {} WHERE id = $1", table.1, table.0);
        let row = query_one(self.read(), &sql, values![id])
            .await?
            .ok_or(Error::Damaged { what: "name" })?;
        Ok(cache.keep(id, row.get(0)?))
    }
}
