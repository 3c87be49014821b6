//! A file of published rules, held against its own cases by the code that quotes.
//!
//! | a row is       | when                                                                |
//! |----------------|---------------------------------------------------------------------|
//! | passed         | it has at least one case, and all of its cases come out              |
//! | failed         | a case does not, or the row is damaged: fields, text, scales, JSON, terms that contradict themselves, cases that cannot be read |
//! | not executable | it can be read and says itself that there is nothing to run: kind `unpriced`, a kind this program does not know, no cases |
//!
//! The columns used are `row_id`, `from_scale`, `to_scale`, `tests`, `terms`, and `rule_shapes`
//! for a reason; they may come in any order among others. Every row that does not pass is
//! reported with its line, and damage to one line never hides the next. What a partner would be told
//! to think about of a rule ([`lint`](super::lint)) is noted beside its line and fails nothing. The last line is
//! `N passed, M failed, K not executable`, counting rows.

use std::fmt;
use std::io::{Read, Write};

use super::line::{Line, lines};
use super::row::{Row, Verdict};

/// How many rows passed, failed, and could not be executed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub not_executable: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            passed,
            failed,
            not_executable,
        } = self;
        write!(
            to,
            "{passed} passed, {failed} failed, {not_executable} not executable"
        )
    }
}

/// Evaluates every row, reports what does not pass, and ends with the tally. An error is one
/// of reading or writing, never of what the file says.
pub fn check(mut reader: impl Read, out: &mut impl Write) -> anyhow::Result<Tally> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    let mut tally = Tally::default();
    let mut lines = lines(&bytes);
    let columns = Columns::of(lines.next());
    if let Err(why) = &columns {
        writeln!(out, "line 1: {why}")?;
    }

    for line in lines {
        let (verdict, notes) = match &columns {
            Ok(columns) => judge(&line, columns),
            Err(_) => failed("the header cannot be read".into()),
        };
        let at = format!("line {} {}", line.number, id(&line, &columns));
        match verdict {
            Verdict::Passed => tally.passed += 1,
            Verdict::NotExecutable(why) => {
                tally.not_executable += 1;
                writeln!(out, "{at}: not executable: {why}")?;
            }
            Verdict::Failed(whys) => {
                tally.failed += 1;
                for why in whys {
                    writeln!(out, "{at}: failed: {why}")?;
                }
            }
        }
        for note in notes {
            writeln!(out, "{at}: note: {note}")?;
        }
    }

    writeln!(out, "{tally}")?;
    Ok(tally)
}

/// Where the columns are that a row is judged by.
struct Columns {
    width: usize,
    row_id: usize,
    from_scale: usize,
    to_scale: usize,
    tests: usize,
    terms: usize,
    rule_shapes: Option<usize>,
}

impl Columns {
    fn of(header: Option<Line>) -> Result<Columns, String> {
        let header = header.ok_or("the file is empty")?.fields?;
        let place = |name: &str| header.iter().position(|field| field.trim() == name);
        let needed = |name: &str| place(name).ok_or(format!("column `{name}` is missing"));
        Ok(Columns {
            width: header.len(),
            row_id: needed("row_id")?,
            from_scale: needed("from_scale")?,
            to_scale: needed("to_scale")?,
            tests: needed("tests")?,
            terms: needed("terms")?,
            rule_shapes: place("rule_shapes"),
        })
    }
}

fn id(line: &Line, columns: &Result<Columns, String>) -> String {
    let fields = line.fields.as_ref().ok().zip(columns.as_ref().ok());
    let id = fields.and_then(|(fields, columns)| fields.get(columns.row_id));
    id.map_or("?".into(), |id| id.escape_debug().to_string())
}

fn failed(why: String) -> (Verdict, Vec<String>) {
    (Verdict::Failed(vec![why]), Vec::new())
}

/// The verdict on a row, and what a partner would be told to think about.
fn judge(line: &Line, columns: &Columns) -> (Verdict, Vec<String>) {
    let fields = match &line.fields {
        Ok(fields) => fields,
        Err(why) => return failed(why.clone()),
    };
    if fields.len() != columns.width {
        let why = format!(
            "{} fields where the header has {}",
            fields.len(),
            columns.width
        );
        return failed(why);
    }
    let shape = columns.rule_shapes.map_or("", |at| &fields[at]);
    let row = Row {
        from_scale: &fields[columns.from_scale],
        to_scale: &fields[columns.to_scale],
        tests: &fields[columns.tests],
        terms: &fields[columns.terms],
        shape,
    };
    let verdict = row.judge();
    let verdict = verdict.unwrap_or_else(|why| Verdict::Failed(vec![why]));
    (verdict, row.notes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "row_id,from_scale,to_scale,tests,terms\n";
    const ONE_TO_ONE: &str = r#""{""kind"":""ratio"",""give"":1,""get"":1}""#;

    fn told(file: &[u8]) -> Vec<String> {
        let mut out = Vec::new();
        check(file, &mut out).unwrap();
        String::from_utf8(out)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    fn last(rows: &str) -> String {
        told(format!("{HEAD}{rows}").as_bytes()).pop().unwrap()
    }

    #[test]
    fn a_row_passes_when_all_of_its_cases_come_out() {
        assert_eq!(
            last(&format!("R1,0,0,5>5; 6>6,{ONE_TO_ONE}")),
            "1 passed, 0 failed, 0 not executable"
        );
        assert_eq!(
            last(&format!("R1,0,0,5>5; 6>7,{ONE_TO_ONE}")),
            "0 passed, 1 failed, 0 not executable"
        );
        let told = told(format!("{HEAD}R1,0,0,6>7,{ONE_TO_ONE}\n").as_bytes());
        assert_eq!(told[0], "line 2 R1: failed: case `6>7`: expected 7, got 6");
    }

    #[test]
    fn what_rewards_splitting_is_noted_and_fails_nothing() {
        let terms = r#""{""kind"":""table"",""table"":[{""give"":100,""get"":60},{""give"":200,""get"":110}]}""#;
        let told = told(format!("{HEAD}R1,0,0,100>60,{terms}\n").as_bytes());
        let note = "line 2 R1: note: splitting_pays: 100 and 100 gain 10 more than 200 at once";
        assert_eq!(told, [note, "1 passed, 0 failed, 0 not executable"]);
    }

    #[test]
    fn decimals_fees_and_what_stays_can_be_said() {
        let terms = r#""{""kind"":""ratio"",""give"":3,""get"":2,""min"":0.5,""remainder"":""leave_in_source""}""#;
        let row = format!("R1,2,0,12.50>8 used=12.00 left=0.50; 0.4>ERR:below_min,{terms}");
        assert_eq!(last(&row), "1 passed, 0 failed, 0 not executable");
        let points = |currency: &str, case: &str| {
            let fee = format!(r#"{{""kind"":""flat"",""amount"":20,""currency"":""{currency}""}}"#);
            let terms = format!(r#""{{""kind"":""ratio"",""give"":2,""get"":1,""fee"":{fee}}}""#);
            last(&format!("R1,0,0,{case},{terms}"))
        };
        let passed = "1 passed, 0 failed, 0 not executable";
        assert_eq!(points("given", "100>50 fee=20 used=100"), passed);
        assert_eq!(points("gained", "100>30 fee=20; 41>ERR:below_min"), passed);
    }

    #[test]
    fn no_row_is_dropped_whatever_is_wrong_with_it() {
        let not_executable = [
            format!("R1,0,0,,{ONE_TO_ONE}"),
            r#"R1,0,0,,"{""kind"":""unpriced""}""#.into(),
            r#"R1,0,0,1>1,"{""kind"":""auction""}""#.into(),
        ];
        for row in not_executable {
            assert_eq!(last(&row), "0 passed, 0 failed, 1 not executable", "{row}");
        }
        let failed = [
            format!("R1,5,0,1>1,{ONE_TO_ONE}"),
            format!("R1,0,0,1-1,{ONE_TO_ONE}"),
            format!("R1,0,0,1>1 tip=3,{ONE_TO_ONE}"),
            "R1,0,0,1>1,{".into(),
            "R1,0,0,1>1".into(),
            r#"R1,0,0,1>1,"{"#.into(),
            r#"R1,0,0,1>1,"{""kind"":""ratio"",""give"":1,""get"":1,""more"":1}""#.into(),
        ];
        for row in failed {
            assert_eq!(last(&row), "0 passed, 1 failed, 0 not executable", "{row}");
        }
    }

    #[test]
    fn a_file_without_rows_or_columns_says_so() {
        assert_eq!(
            told(b""),
            [
                "line 1: the file is empty",
                "0 passed, 0 failed, 0 not executable"
            ]
        );
        let told = told(b"row_id,terms\nR1,x\n");
        assert_eq!(told[0], "line 1: column `from_scale` is missing");
        assert_eq!(told.last().unwrap(), "0 passed, 1 failed, 0 not executable");
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_the_last_line_is_the_tally(rows in "[\\PC\r\n\",;>{}:0-9a-z]{0,200}") {
            let told = told(format!("{HEAD}{rows}").as_bytes());
            prop_assert!(told.last().unwrap().ends_with(" not executable"));
        }
    }
}
