//! Arithmetic on many values: on all cores, and on none of the threads that serve requests.

use std::sync::{Arc, LazyLock};

/// Up to this many values are worked on where they are; handing them over would cost more.
const INLINE_MAX: usize = 4;

/// How many there are. Asking the system takes a quarter of a millisecond: it reads files.
static CORES: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));

/// The work was cut off: the process is ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was interrupted")]
pub struct Interrupted;

/// What `work` makes of each of `items`, in their order.
///
/// # Errors
/// [`Interrupted`] when the runtime is shutting down, or `work` panicked.
pub async fn on_all_cores<T, U>(
    items: Vec<T>,
    work: impl Fn(T) -> U + Send + Sync + 'static,
) -> Result<Vec<U>, Interrupted>
where
    T: Send + 'static,
    U: Send + 'static,
{
    let total = items.len();
    if total <= INLINE_MAX {
        return Ok(items.into_iter().map(work).collect());
    }
    let share = total.div_ceil(*CORES).max(1);
    let (work, mut items) = (Arc::new(work), items.into_iter());
    let mut running = Vec::with_capacity(*CORES);
    loop {
        let piece: Vec<T> = items.by_ref().take(share).collect();
        if piece.is_empty() {
            break;
        }
        let work = Arc::clone(&work);
        running.push(tokio::task::spawn_blocking(move || {
            piece.into_iter().map(|item| work(item)).collect::<Vec<U>>()
        }));
    }
    let mut results = Vec::with_capacity(total);
    for piece in running {
        results.extend(piece.await.map_err(|_| Interrupted)?);
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::on_all_cores;

    #[tokio::test]
    async fn results_come_in_the_order_of_what_they_are_made_of() {
        for count in [0_u32, 3, 4, 5, 1_001] {
            let doubled = on_all_cores((0..count).collect(), |number| number * 2).await.unwrap();
            assert_eq!(doubled, (0..count).map(|number| number * 2).collect::<Vec<_>>());
        }
    }
}
