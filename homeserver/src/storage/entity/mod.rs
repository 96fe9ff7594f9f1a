//! The cold tables as sea-orm entities: written rarely, by key, without a join. What is hot, spans tables or holds a secret (which
//! a derived `Debug` would show) is SQL in the file of its subject.

#![expect(
    unreachable_pub,
    reason = "what sea-orm derives is public, and so must be what it derives from"
)]

pub(super) mod email;
pub(super) mod email_send;
pub(super) mod filter;
pub(super) mod profile_field;
pub(super) mod report;

#[cfg(test)]
mod tests {
    use sea_orm::{EntityTrait, PaginatorTrait as _};

    use super::*;
    use crate::storage::Database;

    async fn rows<E>(db: &Database) -> u64
    where
        E: EntityTrait,
        E::Model: Sync,
    {
        E::find().count(db.read()).await.unwrap();
        E::find().all(db.read()).await.unwrap().len() as u64
    }

    #[tokio::test]
    async fn every_entity_names_the_columns_of_its_table() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open("sqlite:tern.db", folder.path(), "example.org").await.unwrap();
        let found = [
            rows::<email::Entity>(&db).await,
            rows::<email_send::Entity>(&db).await,
            rows::<filter::Entity>(&db).await,
            rows::<profile_field::Entity>(&db).await,
            rows::<report::Entity>(&db).await,
        ];
        assert_eq!(found, [0; 5]);
        db.close().await;
    }
}
