//! Values read from the database and kept until what they are made of changes.

use super::{Database, Id, Position, changes::Topic};
use crate::generations::Generations;

/// Values by an interned id, each with the position up to which it is known to be right.
#[derive(Debug)]
pub struct Kept<V>(Generations<(Position, V)>);

impl<V: Clone + Send + 'static> Kept<V> {
    /// Keeps values that together weigh no more than `weight_max`, in the unit of [`Kept::get`].
    pub fn new(weight_max: usize) -> Self {
        Self(Generations::new(weight_max))
    }

    /// The value of `id`: the kept one unless `topic` changed since it was read, otherwise what `read` brings, which weighs `weigh`.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn get<E>(
        &self,
        db: &Database,
        (id, topic): (Id, Topic),
        read: impl Future<Output = Result<V, E>>,
        weigh: impl Fn(&V) -> usize,
    ) -> Result<V, E> {
        if let Some((at, value)) = self.0.find(id)
            && !db.changes().any_since(topic, at)
        {
            return Ok(value);
        }
        // Before it is read: what is committed meanwhile makes the value be read again.
        let at = db.position();
        let value = read.await?;
        self.0.keep(id, (at, value.clone()), weigh(&value));
        Ok(value)
    }

    /// As [`Generations::age`].
    pub fn age(&self) {
        self.0.age();
    }

    /// The value of `id` is no longer the kept one.
    pub fn forget(&self, id: Id) {
        self.0.forget(&[id]);
    }
}
