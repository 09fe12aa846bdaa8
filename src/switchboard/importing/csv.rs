//! CSV (RFC 4180): a header line, commas, quotes where needed.

use crate::store::{OperatorRow, RowFault};

/// A file that is no CSV with the columns that are needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvFault {
    /// There is nothing in it.
    #[error("it is empty: the first line must name the columns")]
    Empty,
    /// A column is not there.
    #[error("the first line names no column `{0}`")]
    Column(&'static str),
    /// Two columns of one name.
    #[error("the first line names the column `{0}` twice")]
    Twice(&'static str),
    /// A quotation mark without its partner.
    #[error("line {0}: a quotation mark is not closed")]
    Quote(u64),
    /// Text behind a closed quotation mark.
    #[error("line {0}: there is text behind a closing quotation mark")]
    Stray(u64),
}

/// How many of the columns that are read must be there.
const NEEDED: usize = 3;

/// The rows of a CSV text, each with the line it begins on, and the lines that have more or fewer fields than
/// columns.
pub(super) fn rows(text: &str) -> Result<(Vec<OperatorRow>, Vec<RowFault>), CsvFault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = records(text)?.into_iter();
    let (_, header) = records.next().ok_or(CsvFault::Empty)?;
    let named = |column: &str| {
        let places = header.iter().enumerate();
        let mut places = places.filter(|(_, name)| name.trim().eq_ignore_ascii_case(column));
        (places.next().map(|(at, _)| at), places.next().is_some())
    };
    let mut places = [None; OperatorRow::COLUMNS.len()];
    for (at, column) in OperatorRow::COLUMNS.into_iter().enumerate() {
        let (place, twice) = named(column);
        if twice {
            return Err(CsvFault::Twice(column));
        }
        if place.is_none() && at < NEEDED {
            return Err(CsvFault::Column(column));
        }
        places[at] = place;
    }
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for (line, mut fields) in records {
        if fields.len() == header.len() {
            let values = places.map(|place| place.map(|at| std::mem::take(&mut fields[at])));
            rows.push(OperatorRow { row: line, values });
        } else {
            let fault = format!("{} fields for {} columns", fields.len(), header.len());
            faults.push(RowFault { line, fault });
        }
    }
    Ok((rows, faults))
}

/// The records and the lines they begin on; empty lines are none.
fn records(text: &str) -> Result<Vec<(u64, Vec<String>)>, CsvFault> {
    let mut records = Vec::new();
    let mut signs = text.chars().peekable();
    let mut line = 1;
    while signs.peek().is_some() {
        let begins = line;
        let mut fields = Vec::new();
        loop {
            let (field, ended) = field(&mut signs, &mut line, begins)?;
            fields.push(field);
            if ended {
                break;
            }
        }
        if fields.len() > 1 || fields.iter().any(|field| !field.trim().is_empty()) {
            records.push((begins, fields));
        }
    }
    Ok(records)
}

/// The next field, and whether its record ends with it.
fn field(
    signs: &mut std::iter::Peekable<std::str::Chars<'_>>,
    line: &mut u64,
    begins: u64,
) -> Result<(String, bool), CsvFault> {
    let mut field = String::new();
    let quoted = signs.next_if_eq(&'"').is_some();
    let mut open = quoted;
    loop {
        match signs.next() {
            None if open => return Err(CsvFault::Quote(begins)),
            None => return Ok((field, true)),
            Some('"') if open => {
                if signs.next_if_eq(&'"').is_some() {
                    field.push('"');
                } else {
                    open = false;
                }
            }
            Some('\n') if !open => {
                *line += 1;
                return Ok((field, true));
            }
            Some('\r') if !open && signs.peek().is_none_or(|next| *next == '\n') => {}
            Some(',') if !open => return Ok((field, false)),
            Some(_) if quoted && !open => return Err(CsvFault::Stray(*line)),
            Some(sign) => {
                *line += u64::from(sign == '\n');
                field.push(sign);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_be_quoted_and_rows_know_their_line() {
        let text = "\u{feff}id,Name,PHONE_NUMBER,assigned_vapi_number,pin\r\n\
                    1,\"Doe, \"\"J\"\"\",+1,+2,\r\n\r\n2,\"two\nlines\",+3,,4821\r\n3,x,+4,,\n4,y\n";
        let (rows, faults) = rows(text).unwrap();
        assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [7]);
        assert_eq!(rows.iter().map(|row| row.row).collect::<Vec<_>>(), [2, 4, 6]);
        assert_eq!(rows[0].values[0].as_deref(), Some("Doe, \"J\""));
        assert_eq!(rows[1].values[3].as_deref(), Some("4821"));
        assert_eq!(rows[2].values[4], None);
    }

    #[test]
    fn what_is_no_such_table_is_refused_with_the_line() {
        let header = "name,phone_number,assigned_vapi_number\n";
        for (text, fault) in [
            (String::new(), CsvFault::Empty),
            (
                "name,phone_number\n".to_owned(),
                CsvFault::Column("assigned_vapi_number"),
            ),
            (format!("name,{header}"), CsvFault::Twice("name")),
            (format!("{header}a,\"b,c\n"), CsvFault::Quote(2)),
            (format!("{header}a,\"b\"x,c\n"), CsvFault::Stray(2)),
        ] {
            assert_eq!(rows(&text), Err(fault), "{text}");
        }
    }
}
