//! OpenID Connect client intents: what a login client must be, before anybody registers it.
