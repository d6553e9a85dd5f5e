use crate::util::{STUDY, Scene};
use std::fs;

#[test]
fn the_report_is_one_page_that_loads_nothing_and_comes_out_the_same_again() {
    let scene = Scene::new();
    scene.write("tiny.yaml", STUDY);
    let ended = scene.run(&["run", "tiny.yaml", "--out", "study"]).expect(0);
    assert!(ended.stdout.contains("study/report/index.html"), "{}", ended.stdout);
    let page = scene.read("study/report/index.html");
    for loads in ["src=\"http", "href=\"http", "url(http", "@import", "<link"] {
        assert!(!page.contains(loads), "the page loads something: {loads}");
    }
    assert!(page.contains("<svg") && page.contains("Which batch size to use"));
    let files = || {
        let figures = fs::read_dir(scene.path("study/report/figures")).unwrap();
        let mut names: Vec<_> = figures.map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names.into_iter().map(|path| (fs::read_to_string(&path).unwrap(), path)).collect::<Vec<_>>()
    };
    let drawn = files();
    assert!(drawn.len() >= 4, "{drawn:?}");
    for (figure, path) in &drawn {
        let read = roxmltree::Document::parse(figure);
        let read = read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let marks = read.descendants().filter(|node| node.has_tag_name("title")).count();
        assert!(marks > 1, "{} shows no values", path.display());
        // Rasterisers know no variables of CSS.
        assert!(!figure.contains("var("), "{}", path.display());
    }
    scene.run(&["report", "study"]).expect(0);
    assert_eq!(scene.read("study/report/index.html"), page);
    assert_eq!(files(), drawn);
}
