//! `emails`.

use sea_orm::entity::prelude::*;

/// An address of an account.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "emails")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub address: String,
    pub user_id: i64,
    pub added_ms: i64,
    pub validated_ms: i64,
}

/// None is followed by sea-orm.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
