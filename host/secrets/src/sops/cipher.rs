//! `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Key, Nonce, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Tree;
use super::scalar::{Kind, Scalar};
use crate::bytes::SecretBytes;

/// The key of a file's leaves.
pub(crate) type DataKey = Zeroizing<Vec<u8>>;

type Cipher = AesGcm<Aes256, U32>;

/// The parts of an encrypted leaf.
struct Parts<'a> {
    data: &'a str,
    iv: &'a str,
    tag: &'a str,
    kind: &'a str,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let body = text.strip_prefix("ENC[AES256_GCM,data:")?.strip_suffix(']')?;
    let (data, rest) = body.split_once(",iv:")?;
    let (iv, rest) = rest.split_once(",tag:")?;
    let (tag, kind) = rest.split_once(",type:")?;
    Some(Parts { data, iv, tag, kind })
}

/// The leaf that the text holds. `path` is what it is bound to. `Err` holds no value.
pub(super) fn open(text: &str, key: &DataKey, path: &str) -> Result<Tree, String> {
    let Parts { data, iv, tag, kind } = parts(text).ok_or("it is not encrypted, and is to be")?;
    let decoded = |text: &str| STANDARD.decode(text).map_err(|_| "it is not base64".to_owned());
    let (mut data, iv, tag) = (decoded(data)?, decoded(iv)?, decoded(tag)?);
    if iv.len() != 32 || tag.len() != 16 || key.len() != 32 {
        return Err("its parts have the wrong length".to_owned());
    }
    let cipher = Cipher::new(Key::<Cipher>::from_slice(key));
    cipher
        .decrypt_in_place_detached(Nonce::from_slice(&iv), path.as_bytes(), &mut data, Tag::from_slice(&tag))
        .map_err(|_| "it, its place or its key is not what was encrypted".to_owned())?;
    let kind = match kind {
        "str" | "bytes" => Kind::Text,
        "int" => Kind::Int,
        "float" => Kind::Float,
        "bool" => Kind::Bool,
        "time" => Kind::Time,
        "comment" => return Ok(Tree::Comment),
        _ => return Err("its type is unknown".to_owned()),
    };
    let text = SecretBytes::from(data);
    // What the type says is for sops to have written; another one would be another value.
    let is_one = match (kind, text.text()) {
        (Kind::Int, Some(number)) => number.parse::<i64>().is_ok_and(|value| value.to_string() == number),
        (Kind::Float, Some("+Inf" | "-Inf" | "NaN")) => true,
        (Kind::Float, Some(number)) => number.parse::<f64>().is_ok_and(f64::is_finite),
        (Kind::Time, Some(time)) => Scalar::plain(time).kind == Kind::Time,
        _ => true,
    };
    if !is_one {
        return Err("it is not of the type that it says".to_owned());
    }
    // What was in the MAC as `True` is `true` in the file.
    if kind == Kind::Bool {
        let value = match text.expose() {
            b"True" => "true",
            b"False" => "false",
            _ => return Err("it is no boolean".to_owned()),
        };
        return Ok(Tree::Leaf(Scalar { text: value.into(), kind }));
    }
    Ok(Tree::Leaf(Scalar { text, kind }))
}

/// A text, encrypted. `Err` where the machine has no randomness.
pub(super) fn seal(text: &[u8], key: &DataKey, path: &str) -> Result<String, String> {
    let mut iv = [0_u8; 32];
    getrandom::fill(&mut iv).map_err(|_| "the system gives no randomness".to_owned())?;
    let cipher = Cipher::new(Key::<Cipher>::from_slice(key));
    let mut data = text.to_vec();
    let tag = cipher
        .encrypt_in_place_detached(Nonce::from_slice(&iv), path.as_bytes(), &mut data)
        .map_err(|_| "it is too long to be encrypted".to_owned())?;
    let (data, iv, tag) = (STANDARD.encode(data), STANDARD.encode(iv), STANDARD.encode(tag));
    Ok(format!("ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:str]"))
}
