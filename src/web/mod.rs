//! HTTP without business: what a body may look like, how a write is done once, how a list is
//! paged, and how everything that goes wrong is told.

pub mod body;
pub mod client;
pub mod crowd;
pub mod form;
pub mod lines;
pub mod once;
pub mod origin;
pub mod page;
pub mod problem;
pub mod request;
pub mod stream;
pub mod table;
pub mod text;

pub use body::{Json, NoFields, Write};
pub use crowd::Crowd;
pub use form::{Form, Query};
pub use lines::Lines;
pub use once::once;
pub use origin::Origin;
pub use page::{Page, Paging};
pub use problem::ProblemBody;
pub use request::RequestId;
