//! The cluster's certificates and keys, made for one run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::json;

/// A certificate authority and what it signed.
pub(super) struct Pki {
    folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
    accounts: KeyPair,
}

impl Pki {
    /// Makes authority, server certificate and the key of service accounts, and writes them for the servers.
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "test cluster");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let accounts = KeyPair::generate()?;
        let pki = Self { folder: folder.to_owned(), authority, accounts };
        pki.write("ca.crt", &pki.authority.pem())?;
        pki.write("sa.key", &pki.accounts.serialize_pem())?;
        pki.write("sa.pub", &pki.accounts.public_key_pem())?;
        let names = ["localhost", "127.0.0.1", "kubernetes.default.svc"].map(ToOwned::to_owned);
        let server = CertificateParams::new(names)?;
        let (certificate, key) = pki.sign(server, ExtendedKeyUsagePurpose::ServerAuth)?;
        pki.write("server.crt", &certificate)?;
        pki.write("server.key", &key)?;
        Ok(pki)
    }

    /// A kubeconfig for an administrator, with a second context whose token has run out.
    pub(super) fn write_kubeconfig(&self, file: &Path, server: &str) -> anyhow::Result<()> {
        let mut admin = CertificateParams::default();
        admin.distinguished_name.push(DnType::CommonName, "admin");
        admin.distinguished_name.push(DnType::OrganizationName, "system:masters");
        let (certificate, key) = self.sign(admin, ExtendedKeyUsagePurpose::ClientAuth)?;
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "admin",
            "clusters": [{"name": "test", "cluster": {
                "server": server, "certificate-authority-data": STANDARD.encode(self.authority.pem()),
            }}],
            "users": [
                {"name": "admin", "user": {
                    "client-certificate-data": STANDARD.encode(certificate),
                    "client-key-data": STANDARD.encode(key),
                }},
                {"name": "expired", "user": {"token": self.expired_token()?}},
            ],
            "contexts": [
                {"name": "admin", "context": {"cluster": "test", "user": "admin"}},
                {"name": "expired", "context": {"cluster": "test", "user": "expired"}},
            ],
        });
        fs::write(file, config.to_string()).with_context(|| file.display().to_string())
    }

    /// A service account's token (RFC 7519, ES256) that ran out an hour ago.
    fn expired_token(&self) -> anyhow::Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let issuer = "https://kubernetes.default.svc";
        let claims = json!({
            "iss": issuer, "aud": [issuer], "sub": "system:serviceaccount:default:default",
            "iat": now - 7200, "nbf": now - 7200, "exp": now - 3600,
            "kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "default", "uid": "0"}},
        });
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", part(json!({"alg": "ES256"}).to_string()), part(claims.to_string()));
        let random = SystemRandom::new();
        let key = self.accounts.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &random)
            .ok()
            .context("the key of service accounts")?;
        let signature = key.sign(&random, signed.as_bytes()).ok().context("signing a token")?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        purpose: ExtendedKeyUsagePurpose,
    ) -> anyhow::Result<(String, String)> {
        params.extended_key_usages = vec![purpose];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.authority)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let file = self.folder.join(name);
        fs::write(&file, text).with_context(|| file.display().to_string())
    }
}
