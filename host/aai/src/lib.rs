//! `OpenID` Connect clients of the authentication and authorisation infrastructure (AAI): what an environment needs, and its way to
//! and from an identity provider.
//!
//! Rendering declares what a client must be ([`Declared`]) and learns where its data will stand; that part is pure. [`Clients`] acts:
//! it registers, changes and takes back, and keeps what it knows in a [`Store`], of which a cluster is one and a file another.

mod clients;
mod discovery;
mod error;
mod file;
mod form;
mod http;
mod intent;
mod issuer;
mod login;
mod metadata;
mod origin;
mod profile;
mod provider;
mod record;
mod redirect;
mod registration;
mod secret;
mod store;

pub use clients::{Clients, Deed, Done, Orphan, Orphans, Terms};
pub use error::AaiError;
pub use file::{FileError, FileStore};
pub use form::Form;
pub use intent::{AuthMethod, Declared, Intent, IntentError};
pub use issuer::{Account, IssuerSpec, Mode, Sources};
pub use login::{Login, LoginError, Step};
pub use metadata::Metadata;
pub use record::{Phase, Record, Registration, Wanted};
pub use secret::SecretText;
pub use store::{Delivered, Kept, Store};
