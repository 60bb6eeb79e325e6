//! What is written in place of secrets.

use std::sync::Mutex;

use lathe_manifest::{Edit, Object, Pointer, pointer};
use lathe_secrets::output::{Previous, Recipients, encrypt, external_secret};
use lathe_secrets::provider::{Instances, Resolver, Surroundings};
use lathe_secrets::{
    Fill, Filled, Live, Noted, Seal, SecretBytes, SecretError, SecretErrorKind, Why, check_secret,
};

/// What a run writes in place of secrets.
#[derive(Clone, Copy)]
pub enum Output<'a> {
    /// The references again, and plain values of the input as they stood.
    References,
    /// Values.
    Values {
        /// What providers need.
        around: &'a Surroundings<'a>,
        /// Values that a cluster has, for when a store is down.
        live: Option<Live<'a>>,
        /// Gives the key of checksums, where objects are stamped for an apply: Secrets with the references that they were made of,
        /// workloads with a checksum over the Secrets that they read.
        stamp: Option<&'a (dyn Fn() -> Result<SecretBytes, Why> + Sync)>,
    },
    /// Secrets encrypted as sops does it, with their values.
    Sops {
        /// What providers need.
        around: &'a Surroundings<'a>,
        /// For whom.
        recipients: &'a Recipients,
        /// An earlier output, of which is kept what is the same.
        previous: Option<&'a Previous>,
        /// The time, as RFC 3339 has it.
        now: &'a str,
    },
    /// Objects of the External Secrets Operator in place of Secrets with references; no value is read.
    External {
        /// What providers need.
        around: &'a Surroundings<'a>,
    },
}

/// One object's outcome.
pub(crate) struct Written {
    pub(crate) filled: Filled,
    /// Whether references stand in it still.
    pub(crate) holds_references: bool,
}

impl<'a> Output<'a> {
    fn around(&self) -> Option<&'a Surroundings<'a>> {
        match self {
            Self::References => None,
            Self::Values { around, .. } | Self::Sops { around, .. } | Self::External { around } => {
                Some(around)
            }
        }
    }

    /// Whether values of stores are read.
    pub(crate) fn reads_values(&self) -> bool {
        matches!(self, Self::Values { .. } | Self::Sops { .. })
    }

    /// Whether no reference may be left as it stands.
    pub(crate) fn resolves(&self) -> bool {
        !matches!(self, Self::References)
    }

    /// The resolver, with the documents of all references read once.
    pub(crate) fn resolver(
        &self,
        instances: &'a Instances,
        seal: &Seal,
        is_there: impl Fn(u32) -> bool,
    ) -> Option<Resolver<'a>> {
        let mut resolver = Resolver::new(instances, self.around()?);
        if self.reads_values() {
            // What was taken out needs no value.
            let wanted = seal.opened().filter(|(key, ..)| is_there(*key));
            resolver.fetch(wanted.map(|(_, _, reference)| reference));
        }
        Some(resolver)
    }

    /// Puts into an object what its tokens stand for.
    pub(crate) fn write(
        &self,
        seal: &Seal,
        key: u32,
        object: &mut Object,
        resolver: Option<&Resolver<'_>>,
        noted: &Mutex<Noted>,
    ) -> Result<Written, Vec<SecretError>> {
        let label = object.label();
        let error = |kind| vec![SecretError { object: label.clone(), pointer: String::new(), kind }];
        let plain = |filled| Written { filled, holds_references: false };
        match (self, resolver) {
            (Self::Values { live, stamp, .. }, Some(resolver)) => {
                let notes = stamp.and_then(|_| seal.notes(key, object));
                let filled = seal.fill(key, object, &Fill::Values { resolver, live: *live, noted })?;
                let wrong = check_secret(object);
                if !wrong.is_empty() {
                    return Err(wrong);
                }
                if stamp.is_some() {
                    forget_last_applied(object);
                }
                if let Some(notes) = notes {
                    // Annotations that are none are for the server to refuse.
                    let place = annotation(lathe_secrets::REFERENCES_ANNOTATION);
                    let _ = Edit::Set(place, notes.into()).apply(&mut object.value);
                }
                Ok(plain(filled))
            }
            (Self::Sops { recipients, previous, now, .. }, Some(resolver)) => {
                let filled = seal.fill(key, object, &Fill::Values { resolver, live: None, noted })?;
                if filled.outside > 0 {
                    let told = "sops encrypts the values of Secrets alone, and one would stand elsewhere for all to read";
                    return Err(error(SecretErrorKind::Unfit(Why::Type(told.to_owned()))));
                }
                if !object.is_secret() {
                    return Ok(plain(filled));
                }
                let wrong = check_secret(object);
                if !wrong.is_empty() {
                    return Err(wrong);
                }
                forget_last_applied(object);
                let encrypted = encrypt(object, recipients, *previous, now);
                object.value = encrypted.map_err(|why| error(SecretErrorKind::Unfit(why)))?;
                Ok(plain(Filled { plain: 0, ..filled }))
            }
            (Self::External { .. }, Some(resolver)) => {
                if let Some((value, count)) = external_secret(seal, key, object, resolver)? {
                    object.value = value;
                    return Ok(plain(Filled { plain: count, ..Filled::default() }));
                }
                if seal.holds_references(key, object) {
                    let told = "External Secrets make Secrets alone, and a reference stands elsewhere";
                    return Err(error(SecretErrorKind::Unfit(Why::Type(told.to_owned()))));
                }
                seal.fill(key, object, &Fill::References).map(plain)
            }
            _ => {
                let holds_references = seal.holds_references(key, object);
                let filled = seal.fill(key, object, &Fill::References)?;
                Ok(Written { filled, holds_references })
            }
        }
    }
}

/// kubectl's copy of a Secret holds its values in the clear.
fn forget_last_applied(object: &mut Object) {
    let place = annotation("kubectl.kubernetes.io/last-applied-configuration");
    // Most have none.
    let _ = Edit::Remove(place).apply(&mut object.value);
}

/// The pointer of an object's annotation.
pub(crate) fn annotation(name: &str) -> Pointer {
    // What is escaped is a pointer.
    Pointer::parse(&format!("/metadata/annotations/{}", pointer::escape(name))).unwrap_or_default()
}
