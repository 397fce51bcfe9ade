//! The list of the newest records that lies beside each of osv.dev's zips, `modified_id.csv`: a row
//! `DATE,ID` for each record, newest first; documented at <https://google.github.io/osv.dev/data/>.

use crate::TipRow;

/// How long an id may be, in bytes; real ones have some twenty.
const ID_BYTES_MAX: usize = 128;

/// Reads the beginning of a list. A last row that was cut is left out; `None` when any row is not
/// what it should be, because then nothing can be said of what is new.
pub(crate) fn rows(list: &[u8], is_cut: bool) -> Option<Vec<TipRow>> {
    let text = match std::str::from_utf8(list) {
        Ok(text) => text,
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(&list[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let text = if is_cut { &text[..=text.rfind('\n')?] } else { text };
    text.lines().filter(|line| !line.is_empty()).map(row).collect()
}

/// Where a record lies by itself, beside the zip.
pub(crate) fn entry_url(folder: &str, id: &str) -> Option<String> {
    is_id(id).then(|| format!("{folder}/{id}.json"))
}

fn row(line: &str) -> Option<TipRow> {
    let (modified, id) = line.split_once(',')?;
    let (modified, id) = (modified.parse().ok()?, id.trim());
    is_id(id).then(|| TipRow { modified, id: id.to_owned() })
}

/// Whether a text is an id that may stand in an address as it is.
fn is_id(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.starts_with('.') && id.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, is_cut: bool, expected: Option<&[(&str, &str)]>) {
        let found = rows(list.as_bytes(), is_cut);
        let found: Option<Vec<(String, String)>> = found
            .map(|rows| rows.into_iter().map(|row| (row.modified.to_string(), row.id)).collect());
        let expected: Option<Vec<(String, String)>> = expected
            .map(|rows| rows.iter().map(|(at, id)| ((*at).to_owned(), (*id).to_owned())).collect());
        assert_eq!(found, expected, "{list:?}");
    }

    #[test]
    fn rows_are_dates_and_ids_and_a_cut_one_is_left_out() {
        let one = ("2026-09-01T10:00:00.123456Z", "GHSA-2qrg-x229-3v8q");
        check("2026-09-01T10:00:00.123456Z,GHSA-2qrg-x229-3v8q\n", false, Some(&[one]));
        check("2026-09-01T10:00:00.123456Z,GHSA-2qrg-x229-3v8q\r\n2026-0", true, Some(&[one]));
        check("2026-09-01T10:00:00.123456Z,GHSA-2qrg-x229-3v8q\n2026-0", false, None);
        check("", false, Some(&[]));
        check("2026-09-01T10:00:00.1", true, None);
    }

    #[test]
    fn what_is_no_such_list_is_refused() {
        for bad in
            ["<html>", "yesterday,GO-1", "2026-09-01T10:00:00Z,../x", "2026-09-01T10:00:00Z,"]
        {
            check(bad, false, None);
        }
        assert_eq!(rows(b"2026-09-01T10:00:00Z,GO-1\n\xc3", true).map(|rows| rows.len()), Some(1));
        assert_eq!(rows(b"\xff", true), None);
        assert_eq!(entry_url("https://a.example/Go", "a/b"), None);
        let url = entry_url("https://a.example/Go", "GO-2024-1");
        assert_eq!(url.as_deref(), Some("https://a.example/Go/GO-2024-1.json"));
    }
}
