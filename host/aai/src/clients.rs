//! The clients of environments, from an intent to a registration and back: one state machine over all modes.
//!
//! Each step that changes something at a provider is noted before, and what came of it is kept before anything else is done. So a
//! run may be killed at any moment: the next one sees what may have happened, and nothing is asked twice blindly.

mod ensure;
mod given;
mod import;
mod keep;
mod retire;
mod rotate;
mod sweep;

use std::time::Duration;

use tokio::time::sleep;

use crate::error::AaiError;
use crate::issuer::{Mode, Sources};
use crate::provider::Provider;
use crate::record::{Phase, Record, Wanted};
use crate::store::{Kept, Store};

pub use sweep::{Orphan, Orphans};

/// How often the store is asked to keep what a provider gave.
const SAVES: u32 = 5;

/// Works on clients, one at a time.
pub struct Clients<'a, S> {
    /// Where records are kept.
    pub store: &'a S,
    /// Where credentials come from.
    pub sources: Sources<'a>,
    /// The time of this moment, RFC 3339.
    pub now: &'a dyn Fn() -> String,
    /// Why nothing new is begun, if it is not.
    pub halted: &'a dyn Fn() -> Option<&'static str>,
}

/// What may be done beside what was asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Make another client where one is out of reach.
    pub recreate_lost: bool,
    /// Write over a Secret that is somebody else's.
    pub adopt: bool,
    /// Take a provider that is away for a failure, even where nothing has changed.
    pub strict: bool,
    /// The generation of credentials that are new: milliseconds since 1970, so that no generation comes twice.
    pub fresh: u64,
}

/// What became of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It was registered.
    Registered,
    /// It was there already, without a record of it, and is this one now.
    Adopted,
    /// It was changed.
    Updated,
    /// It is another one now, because the one before was out of reach.
    Recreated,
    /// It is as it was.
    Unchanged,
    /// It is gone.
    Deregistered,
    /// It was registered by hand, and is known here no more.
    Forgotten,
}

impl Deed {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Adopted => "adopted",
            Self::Updated => "updated",
            Self::Recreated => "registered anew",
            Self::Unchanged => "unchanged",
            Self::Deregistered => "deregistered",
            Self::Forgotten => "forgotten",
        }
    }
}

/// What was done for one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What.
    pub deed: Deed,
    /// Its id at the provider; empty where there is none.
    pub client_id: String,
    /// The generation of its credentials.
    pub generation: u64,
    /// What the user should look at.
    pub warnings: Vec<String>,
}

impl<S: Store> Clients<'_, S> {
    /// Which of the client's credentials its Secret will hold when it is as wanted, as far as can be told without asking anybody else.
    ///
    /// `fresh` is the generation of credentials that are new.
    pub async fn expected(&self, wanted: &Wanted<'_>, fresh: u64) -> Result<u64, AaiError> {
        let (kept, _) = self.open(wanted).await?;
        let record = &kept.record;
        let issuer = wanted.issuer;
        let stays = match issuer.mode {
            Mode::Pool | Mode::Static => {
                let has = record.registration.as_ref();
                let has = has.map(|own| (own.client_id.clone(), own.client_secret.clone()));
                match issuer.given(wanted.slot, self.sources) {
                    // Whether that is a failure is said when it is used.
                    Err(AaiError::NoCredential(_)) if has.is_some() => true,
                    given => has == Some(given?),
                }
            }
            Mode::Request => true,
            Mode::Dcr | Mode::Keycloak => {
                let stays = record.registration.is_some()
                    && !matches!(record.phase, Phase::Deregistering | Phase::Lost);
                if !stays {
                    issuer.token(self.sources)?;
                    issuer.account(self.sources)?;
                }
                stays
            }
        };
        Ok(if stays { record.generation } else { fresh.max(record.generation + 1) })
    }

    fn provider(&self, record: &Record) -> Result<Provider<'_>, AaiError> {
        Provider::new(&record.issuer, record.authority.as_deref(), self.sources)
    }

    /// The record of what is wanted, which is not kept yet where it is new, and what it was before.
    async fn open(&self, wanted: &Wanted<'_>) -> Result<(Kept, Option<Record>), AaiError> {
        let key = &wanted.declared.key;
        let read = self.store.read(key).await.map_err(|why| store(key, why))?;
        let Some(mut kept) = read else {
            let mut record = Record::new(wanted);
            let delivered = self.store.delivered(&record).await.map_err(|why| store(&record.name, why))?;
            let own = delivered.filter(|own| own.key.as_ref() == Some(key));
            let id = own.and_then(|own| own.values.get(record.keys.get("client-id")?).cloned());
            // A client whose id is chosen here is found again by that.
            if let Some(id) = id.filter(|_| wanted.issuer.mode == Mode::Dcr) {
                record.suspect(&(self.now)(), &format!("`{}`, whose record is gone", id.expose()));
            }
            return Ok((Kept { record, version: String::new() }, None));
        };
        let before = kept.record.clone();
        let had = kept.record.issuer.mode;
        if had != wanted.issuer.mode {
            let left = !kept.record.superseded.is_empty() || kept.record.phase == Phase::Registering;
            if registers(had) && (left || kept.record.registration.is_some()) {
                let label = kept.record.label();
                return Err(AaiError::Settings(format!(
                    "{label} was registered by mode `{}`; `aai deregister` comes first",
                    had.name()
                )));
            }
            // Somebody else's client must not be taken for one that is managed here.
            kept.record.registration = None;
            kept.record.phase = Phase::Absent;
            kept.record.digest.clear();
        }
        kept.record.refresh(wanted);
        Ok((kept, Some(before)))
    }

    /// Keeps a record as it is by now.
    async fn save(&self, kept: &mut Kept) -> Result<(), AaiError> {
        kept.record.at = (self.now)();
        self.write(kept).await
    }

    async fn write(&self, kept: &mut Kept) -> Result<(), AaiError> {
        let label = kept.record.label();
        let saved = if kept.version.is_empty() {
            self.store.create(&kept.record).await
        } else {
            self.store.replace(kept).await
        };
        let raced = || store(&label, "another run changed it meanwhile".to_owned());
        kept.version = saved.map_err(|why| store(&label, why))?.ok_or_else(raced)?.version;
        Ok(())
    }

    /// The same, of what a provider gave: tried again, for it is given once.
    async fn save_surely(&self, kept: &mut Kept) -> Result<(), AaiError> {
        kept.record.at = (self.now)();
        let mut pause = Duration::from_millis(200);
        for _ in 1..SAVES {
            if self.write(kept).await.is_ok() {
                return Ok(());
            }
            sleep(pause).await;
            pause *= 2;
            // The try that failed may have been heard all the same.
            if let Ok(Some(seen)) = self.store.read(&kept.record.key).await
                && seen.record == kept.record
            {
                kept.version = seen.version;
                return Ok(());
            }
        }
        self.write(kept).await
    }

    /// Takes a record away, or keeps what it has to tell later ones.
    async fn drop_record(&self, kept: &mut Kept) -> Result<(), AaiError> {
        if kept.record.suspects.is_empty() && kept.record.superseded.is_empty() {
            if kept.version.is_empty() {
                return Ok(());
            }
            let label = kept.record.label();
            return self.store.remove(kept).await.map_err(|why| store(&label, why));
        }
        kept.record.phase = Phase::Absent;
        kept.record.registration = None;
        self.save(kept).await
    }

    /// Whether anything may be begun.
    fn go_on(&self, record: &Record) -> Result<(), AaiError> {
        (self.halted)().map_or(Ok(()), |why| Err(store(&record.label(), why.to_owned())))
    }
}

/// Whether clients of this mode come into being here.
fn registers(mode: Mode) -> bool {
    matches!(mode, Mode::Dcr | Mode::Keycloak)
}

fn store(client: &str, why: String) -> AaiError {
    AaiError::Store { client: client.to_owned(), why }
}
