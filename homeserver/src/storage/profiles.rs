//! Profiles of local users, a row a field.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, sea_query::OnConflict,
};

use super::{
    Error, Id,
    entity::profile_field::{ActiveModel, Column, Entity},
};

/// Most fields a profile can have; its bytes are limited by `account`.
const FIELDS_MAX: u64 = 10_000;

/// All fields of `user` by name, values as JSON text.
pub async fn list_profile_fields(
    db: &impl ConnectionTrait,
    user: Id,
) -> Result<Vec<(String, String)>, Error> {
    let fields = Entity::find().filter(Column::UserId.eq(user)).order_by_asc(Column::Name);
    let fields = fields.limit(FIELDS_MAX).all(db).await?;
    Ok(fields.into_iter().map(|field| (field.name, field.value)).collect())
}

/// One field of `user`, as JSON text.
pub async fn find_profile_field(
    db: &impl ConnectionTrait,
    user: Id,
    name: &str,
) -> Result<Option<String>, Error> {
    let field = Entity::find_by_id((user, name.to_owned())).one(db).await?;
    Ok(field.map(|field| field.value))
}

/// Sets a field.
pub async fn insert_profile_field(
    db: &impl ConnectionTrait,
    user: Id,
    name: &str,
    value: &str,
) -> Result<(), Error> {
    let field = ActiveModel {
        user_id: Set(user),
        name: Set(name.to_owned()),
        value: Set(value.to_owned()),
    };
    let replaced =
        OnConflict::columns([Column::UserId, Column::Name]).update_column(Column::Value).to_owned();
    Entity::insert(field).on_conflict(replaced).exec_without_returning(db).await?;
    Ok(())
}

/// Removes a field.
pub async fn delete_profile_field(
    db: &impl ConnectionTrait,
    user: Id,
    name: &str,
) -> Result<(), Error> {
    Entity::delete_by_id((user, name.to_owned())).exec(db).await?;
    Ok(())
}

/// Removes a whole profile.
pub async fn delete_profile(db: &impl ConnectionTrait, user: Id) -> Result<(), Error> {
    Entity::delete_many().filter(Column::UserId.eq(user)).exec(db).await?;
    Ok(())
}
