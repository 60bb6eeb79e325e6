//! Text that go-yaml v2 takes for a time, and hands on as text.

/// Whether go-yaml may take the text for a time, which it then hands on as the text it was: four digits and a hyphen. No
/// number has that form, so what follows cannot change its value.
pub(crate) fn may_be_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let run = |from: usize| {
        bytes.get(from..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count())
    };
    run(0) == 4 && bytes.get(4) == Some(&b'-') && matches!(run(5), 1 | 2)
}

/// Whether the text is a time by go-yaml's layouts: `2006-1-2`, and behind it `T`, `t` or a space with `15:4:5.999999999` and,
/// but for the space, a zone. Stricter in rare forms.
pub(crate) fn is_time(text: &str) -> bool {
    let number = |text: &str, least: usize, most: u32| {
        let digits = (least..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits && text.parse::<u32>().is_ok_and(|number| number <= most)
    };
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let leap = |year: u32| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let year_number = year.parse().unwrap_or(0);
    let days = match month.parse() {
        Ok(2) => 28 + u32::from(leap(year_number)),
        Ok(4 | 6 | 9 | 11) => 30,
        _ => 31,
    };
    let dated = may_be_time(text)
        && year.len() == 4
        && number(month, 1, 12)
        && number(day, 1, days)
        && [month, day].iter().all(|part| !part.trim_start_matches('0').is_empty());
    let Some(time) = time else { return dated };
    let clock = match time.strip_suffix('Z') {
        Some(clock) => clock,
        None if text.contains(' ') => time,
        None => match time.rfind(['+', '-']).map(|at| time.split_at(at)) {
            Some((clock, zone)) if is_zone(zone) => clock,
            _ => return false,
        },
    };
    if text.contains(' ') && time.ends_with('Z') {
        return false;
    }
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else { return false };
    let fraction =
        !fraction.is_empty() && fraction.len() <= 9 && fraction.bytes().all(|b| b.is_ascii_digit());
    dated && fraction && number(hour, 1, 23) && number(minute, 1, 59) && number(second, 1, 59)
}

/// `+07:00`.
fn is_zone(zone: &str) -> bool {
    let form = zone.bytes().enumerate().all(|(at, byte)| match at {
        0 => matches!(byte, b'+' | b'-'),
        3 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    form && zone.len() == 6 && zone[1..3] < *"24" && zone[4..] < *"60"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_go_yamls_layouts() {
        for (text, is) in [
            ("2001-01-01", true),
            ("2001-1-1t1:2:3.5-05:00", true),
            ("2001-12-14T21:59:43Z", true),
            ("2001-12-14 21:59:43.10", true),
            ("2001-99-99", false),
            ("2001-02-30", false),
            ("2001-1x", false),
            ("2001-01-01T10:00", false),
            ("2001-01-01é", false),
            ("2001-01-01T+é:00", false),
            ("2001-1-1T+1é:0", false),
            ("2001-1-1T1:2:3+24:00", false),
            ("2001-1-1T1:2:3+23:59", true),
        ] {
            assert_eq!(is_time(text), is, "{text}");
        }
    }
}
