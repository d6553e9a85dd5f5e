use super::*;

const CSV: Dialect = Dialect { separator: b',', quotes: None, is_tsv: false };
const TSV: Dialect = Dialect { separator: b'\t', quotes: None, is_tsv: true };

/// The lines of the rows, their texts, and the account.
fn read(bytes: &[u8], dialect: Dialect) -> Result<(Vec<u64>, Vec<String>, Account)> {
    let (mut lines, mut texts) = (Vec::new(), Vec::new());
    let file = SourceFile::of("t.csv", bytes);
    let account = each_row(&file, dialect, &["label", "text"], &mut |line, cells| {
        assert_eq!(cells.len(), 2);
        lines.push(line);
        texts.push(cells[1].unwrap().to_owned());
        Ok(())
    })?;
    Ok((lines, texts, account))
}

fn lines(bytes: &[u8]) -> Result<Vec<u64>> {
    read(bytes, CSV).map(|(lines, ..)| lines)
}

fn refusal(text: &str, dialect: Dialect) -> UserError {
    read(text.as_bytes(), dialect).unwrap_err().downcast().unwrap()
}

/// A header and rows of a text and a label, the texts of some lines replaced.
fn table(separator: char, replaced: &[(usize, &str)]) -> String {
    let row = |line: usize| {
        let given = replaced.iter().find(|(at, _)| *at == line).map(|(_, text)| *text);
        let text = given.map_or(format!("word w{line} more"), str::to_owned);
        format!("{text}{separator}{}\n", line % 2)
    };
    (2..62).fold(format!("text{separator}label\n"), |table, line| table + &row(line))
}

#[test]
fn lines_are_counted_as_an_editor_does_whatever_ends_them() {
    let unix = "text,label\na,1\n\"b\n\nc\",0\n\nd,1\n";
    assert_eq!(lines(unix.as_bytes()).unwrap(), [2, 3, 7]);
    assert_eq!(lines(unix.replace('\n', "\r\n").as_bytes()).unwrap(), [2, 3, 7]);
    assert_eq!(lines(b"\xef\xbb\xbftext,label\na,1\n").unwrap(), [2], "a byte order mark");
}

#[test]
fn rows_that_cannot_be_read_are_named_by_their_line() {
    let message = |bytes: &[u8]| lines(bytes).unwrap_err().to_string();
    assert_eq!(
        message(b"text,label\na,1\nb\n"),
        "t.csv, line 3: the row has 1 fields and the header has 2"
    );
    assert_eq!(message(b"text,label\na,1\n\xff,0\n"), "t.csv, line 3: the text is not UTF-8");
    assert_eq!(message(b"t\xff,label\na,1\n"), "t.csv, line 1: the text is not UTF-8");
    assert_eq!(message(b"\n"), "t.csv is empty");
}

#[test]
fn another_separator_is_guessed_in_the_hint() {
    let error = lines(b"text;label\na;1\n").unwrap_err();
    let hint = error.downcast_ref::<UserError>().unwrap().hint.clone().unwrap();
    assert!(hint.ends_with("give `separator: \";\"` if that separates them"), "{hint}");
    let error = lines(b"sep=;\ntext;label\na;1\n").unwrap_err();
    let hint = error.downcast_ref::<UserError>().unwrap().hint.clone().unwrap();
    assert!(hint.ends_with("Excel's `sep=`, which names no columns: remove that line"), "{hint}");
}

#[test]
fn rows_of_old_macs_and_after_doubled_returns_have_their_own_lines() {
    let macs = table(',', &[]).replace('\n', "\r");
    assert_eq!(lines(macs.as_bytes()).unwrap(), (2..62).collect::<Vec<u64>>());
    assert_eq!(lines(b"text,label\ra,1\r\r\"b\rc\",0\rd,1").unwrap(), [2, 4, 6]);
    assert_eq!(lines(b"text,label\na,1\rb,0\rc,1\n").unwrap(), [2, 3, 4], "of both kinds");
    assert_eq!(lines(b"text,label\r\r\na,1\r\r\nb,0\r\r\n").unwrap(), [2, 3]);
}

#[test]
fn every_line_is_accounted_for() {
    let of = |text: &str| {
        let Account { lines, blank, breaks, rows, .. } = read(text.as_bytes(), CSV).unwrap().2;
        (lines.unwrap(), rows, breaks, blank)
    };
    assert_eq!(of("text,label\na,1\nb,0\n"), (2, 2, 0, 0));
    assert_eq!(of("text,label\na,1\nb,0"), (2, 2, 0, 0));
    assert_eq!(of("text,label\n\na,1\n\"b\n\nc\",0\n\nd,1\n\n\n"), (9, 3, 2, 4));
    assert_eq!(of("text,label\r\n\"a\r\nb\",1\r\n\r\n"), (3, 1, 1, 1));
    assert_eq!(of("\n\"te\nxt\",label\na,1\n".replace("te\nxt", "text").as_str()), (1, 1, 0, 0));
}

#[test]
fn a_raw_quote_of_a_csv_file_that_takes_rows_is_told_with_its_line() {
    for (replaced, expected) in [
        (
            &[(7, "\"and film"), (9, "\"it was")][..],
            "line 7: a quote opens a cell that goes on to line 9",
        ),
        (
            &[(7, "\"and film"), (9, "he said \"no\" twice")],
            "line 7: a quote opens a cell that goes on to line 9",
        ),
        (&[(7, "\"and film")], "line 7: a quote opens a cell that is never closed"),
        (
            &[(7, "\"and film"), (12, "it was\"")],
            "line 7: a quote opens a cell that goes on to line 12, over lines",
        ),
        (&[(5, "\"two\n\nlines\""), (7, "\"and film"), (9, "\"it was")], "line 9: a quote opens"),
    ] {
        let error = refusal(&table(',', replaced), CSV);
        assert!(error.message.contains(expected), "{error} lacks {expected}");
        assert!(error.hint.unwrap().contains("`quotes: false`"));
        let plain = Dialect { quotes: Some(false), ..CSV };
        let whole = replaced.iter().all(|(_, text)| !text.contains('\n'));
        assert!(!whole || read(table(',', replaced).as_bytes(), plain).unwrap().0.len() == 60);
    }
}

#[test]
fn texts_of_several_lines_stay_as_they_are() {
    let text = "\"Dear all,\n\nI say \"\"yes\"\", twice.\nRegards\" ";
    let (lines, texts, account) = read(table(',', &[(7, text)]).as_bytes(), CSV).unwrap();
    assert_eq!((lines.len(), account.breaks), (60, 3));
    assert_eq!(texts[5], "Dear all,\n\nI say \"yes\", twice.\nRegards ");
    let quoted = table(',', &[(7, "\"and film"), (12, "it was\"")]);
    let sure = Dialect { quotes: Some(true), ..CSV };
    assert_eq!(read(quoted.as_bytes(), sure).unwrap().0.len(), 55, "whoever says so is believed");
}

#[test]
fn quotes_of_a_tsv_file_are_text_where_they_would_take_rows() {
    for replaced in [
        &[(7, "\"and film"), (9, "\"it was")][..],
        &[(7, "\"and film"), (12, "it was\"")],
        &[(7, "\"and film")],
        &[(7, "\"Great\" film")],
    ] {
        let (lines, texts, account) = read(table('\t', replaced).as_bytes(), TSV).unwrap();
        assert_eq!((lines, account.breaks), ((2..62).collect(), 0));
        assert_eq!(texts[5], replaced[0].1);
    }
}

#[test]
fn quotes_of_a_tsv_file_enclose_cells_where_they_can() {
    let text = table('\t', &[(7, "\"two\nlines\""), (8, "\"a\tb\"")]);
    let text = text.replace("text\tlabel", "\"text\"\t\"label\"");
    let (lines, texts, _) = read(text.as_bytes(), TSV).unwrap();
    assert_eq!((lines.len(), &*texts[5], &*texts[6]), (60, "two\nlines", "a\tb"));
    let plain = Dialect { quotes: Some(false), ..TSV };
    let error = refusal(&text, plain);
    assert_eq!(error.message, "t.csv: there is no column `label`");
    assert!(error.hint.unwrap().contains("`quotes: true`"));
    let torn = table('\t', &[(7, "\"two\nlines\""), (9, "\"so\" it was")]);
    let error = refusal(&torn, TSV);
    assert_eq!(error.message, "t.csv, line 7: the row has 1 fields and the header has 2");
    assert!(error.hint.unwrap().contains("`quotes: true`"));
}

#[test]
fn a_doubled_column_is_refused_with_both_places_if_it_is_asked_for() {
    let error = refusal("label,text,label\n1,a,0\n", CSV);
    assert_eq!(error.message, "t.csv: the column `label` stands twice, as columns 1 and 3");
    assert_eq!(lines(b"label,text,,,x,x\n1,a,,,2,3\n").unwrap(), [2]);
}

#[test]
fn columns_have_a_limit() {
    let header = "c,".repeat(100_000) + "text,label\n";
    let error = refusal(&header, CSV);
    assert_eq!(error.message, "t.csv has 100,002 columns, and a table has at most 100,000");
}

#[test]
fn a_header_that_stands_in_the_middle_is_refused_with_its_line() {
    let error = refusal("label,text\n1,a film\nlabel, text\n0,another\n", CSV);
    assert_eq!(error.message, "t.csv, line 3: the header stands here again");
    assert!(lines(b"label,text\n1,text\nlabel,a film\n").is_ok(), "one cell of it alone is a text");
}
