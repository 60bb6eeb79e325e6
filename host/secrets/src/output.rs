//! What a render can write in place of secrets, beside references and values.

mod external;

pub use crate::sops::{Previous, Recipients, encrypt};
pub use external::external_secret;
