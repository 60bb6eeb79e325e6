//! Kubernetes' quantities, as far as comparing them takes.

/// The quantity in thousandths; `None` where it is none.
///
/// A number, then a suffix: `m`, `k` to `E` for powers of 1000, `Ki` to `Ei` for powers of 1024, or an exponent.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let factor = match suffix {
        "n" => 1e-6,
        "u" => 1e-3,
        "m" => 1.0,
        "" => 1e3,
        "k" => 1e6,
        "M" => 1e9,
        "G" => 1e12,
        "T" => 1e15,
        "P" => 1e18,
        "E" => 1e21,
        "Ki" => 1e3 * 1024.0,
        "Mi" => 1e3 * 1024.0 * 1024.0,
        "Gi" => 1e3 * 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1e3 * 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "Pi" => 1e3 * 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "Ei" => 1e3 * 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0,
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            1e3 * 10_f64.powi(power)
        }
    };
    Some(number * factor).filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_compare() {
        let sorted = ["100m", "1", "1k", "1Ki", "1e4", "1M", "1Mi", "1.5Gi", "2Gi", "1Ti", "2E"];
        let values: Vec<f64> = sorted.into_iter().map(|text| parse(text).unwrap()).collect();
        assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "{values:?}");
        for text in ["", "x", "1x", "1Kii", "e3", "1e999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
