//! `review …`: what a review is called, what a pipeline for reviews needs, and leases of pools.

mod discover;
mod lease;
mod show;
pub(crate) mod state;

use crate::cli::Review;
use crate::settings::Settings;

pub(crate) fn dispatch(verb: &Review, settings: &Settings) -> anyhow::Result<()> {
    match verb {
        Review::Show(flags) => show::run(flags, settings),
        Review::Discover(flags) => discover::run(flags, settings),
        Review::List(flags) => super::status::list(flags, settings),
        Review::Lease(flags) => lease::take(flags, settings),
        Review::Release(flags) => lease::release(flags, settings),
    }
}
