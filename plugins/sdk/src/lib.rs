//! Write a Lathe transform plugin in Rust: implement [`Transform`], then [`register!`] the type.
//!
//! A plugin is a pure function from a [`Request`] to an [`Outcome`]: no file, network, clock or randomness. Build it as a
//! `cdylib` for `wasm32-wasip2`. [`Outcome::edit`] lets it change objects in place. Its logic is ordinary Rust, so `cargo test` runs it natively; only the functions of
//! [`secrets`], [`oidc_clients`] and [`logging`] need a host.

/// What [`register!`] needs; not for use by hand.
#[doc(hidden)]
pub mod bindings;
mod derive;
mod outcome;
mod request;

pub use bindings::lathe::transform::types::Location;
pub use bindings::lathe::transform::{logging, oidc_clients, secrets};
pub use outcome::Outcome;
pub use request::{Environment, Object, Request, Review, each_string, escape};
pub use serde_json::{Value, json};

/// What a plugin says of itself; the host reads it once per digest, never while rendering.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The plugin's name.
    pub name: &'static str,
    /// Its version (`SemVer`).
    pub version: &'static str,
    /// One sentence on what it does.
    pub summary: &'static str,
    /// JSON Schema of `config`.
    pub config_schema: Value,
    /// Whether each object's edits depend on that object alone.
    pub scope: Scope,
}

/// How far a transform looks.
#[derive(Clone, Copy, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// At one object at a time: the host may split the set into calls as it likes.
    Object,
    /// At the whole set.
    Set,
}

/// A transform plugin.
pub trait Transform {
    /// What the plugin is.
    fn describe() -> Descriptor;

    /// Reads the request and answers with edits and findings. An error refuses the run; use findings to report more than
    /// one problem.
    fn transform(request: &Request) -> Result<Outcome, String>;
}

/// Makes the type the plugin that this component exports.
#[macro_export]
macro_rules! register {
    ($type:ident) => {
        // Natively, for tests, there is nothing to export to.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::bindings::exports::lathe::transform::descriptor::Guest for Component {
                fn describe() -> String {
                    $crate::__describe::<$type>()
                }
            }

            impl $crate::bindings::exports::lathe::transform::transformer::Guest for Component {
                fn transform(
                    request: $crate::bindings::lathe::transform::types::Request,
                ) -> Result<$crate::bindings::lathe::transform::types::Outcome, String> {
                    $crate::__transform::<$type>(request)
                }
            }

    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}

/// What [`register!`] calls; not for use by hand.
#[doc(hidden)]
pub fn __describe<T: Transform>() -> String {
    serde_json::to_string(&T::describe()).unwrap_or_default()
}

/// What [`register!`] calls; not for use by hand.
#[doc(hidden)]
pub fn __transform<T: Transform>(
    request: bindings::lathe::transform::types::Request,
) -> Result<bindings::lathe::transform::types::Outcome, String> {
    T::transform(&Request::try_from(request)?).map(Into::into)
}
