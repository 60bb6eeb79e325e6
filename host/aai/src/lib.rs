//! `OpenID` Connect clients of the authentication and authorisation infrastructure (AAI), as intents.
//!
//! Rendering declares what a client must be and learns where its data will stand; nothing here talks to a provider.

mod intent;
mod profile;

pub use intent::{Declared, Intent, IntentError};
