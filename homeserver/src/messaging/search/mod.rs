//! Searching what was said in the clear: the index and how it keeps up, and the search itself.
//!
//! Spec: <https://spec.matrix.org/v1.19/client-server-api/#server-side-search>.

mod index;
mod query;
mod result;

pub use index::run;
pub use query::{Around, Criteria, GroupBy, OrderBy, search};
pub use result::{Group, Hit, Results};
