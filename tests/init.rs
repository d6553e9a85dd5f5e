use crate::study::arrays;
use crate::util::Scene;

#[test]
fn a_file_written_for_a_table_is_accepted_and_runs_as_it_is() {
    let scene = Scene::new();
    let said = scene.run(&["init", "reviews.csv", "--out", "mine.yaml"]).expect(0).stdout;
    assert_eq!(said, "wrote mine.yaml; now: batchscope check mine.yaml\n");
    let yaml = scene.read("mine.yaml");
    for expected in [
        "    text: text   # 10 words on average in 120 rows\n",
        "    label: label   # `0` counts as 0 (60 rows), `1` as 1 (60 rows)\n",
        "    length: 20   # words of an example; 95 % of the texts have at most 17; fewer train faster\n",
        "  grid: { batch_size: [2, 4, 8] }",
    ] {
        assert!(yaml.contains(expected), "`{expected}` is missing in:\n{yaml}");
    }
    scene.run(&["check", "mine.yaml"]).expect(0);
    // What stands in comments is accepted, too.
    let tuned = yaml.replace("  # learning_rate:", "  learning_rate:");
    let taken_apart =
        yaml.replace("  # decompose:", "  decompose:").replace("  grid:", "  # grid:");
    for (text, arms) in [(tuned, "tuned"), (taken_apart, "large-tuned-equal-steps")] {
        scene.write("other.yaml", &text);
        let said = scene.run(&["check", "other.yaml"]).expect(0).stdout;
        assert!(said.contains(arms), "{said}");
    }
    let short = ["--set", "train.epochs=1", "--set", "study.seeds=1", "--device", "cpu"];
    scene.run(&[&["run", "mine.yaml"][..], &short].concat()).expect(0);
    assert!(scene.path("runs/mine/batch-8/seed-0/weights.safetensors").exists());
}

#[test]
fn without_out_it_is_printed_and_an_existing_file_is_left_alone() {
    let scene = Scene::new();
    let yaml = scene.run(&["init", "reviews.csv"]).expect(0).stdout;
    scene.write("mine.yaml", &yaml);
    scene.run(&["check", "mine.yaml"]).expect(0);
    let ended = scene.run(&["init", "reviews.csv", "--out", "mine.yaml"]).expect(2);
    assert!(ended.stderr.contains("mine.yaml exists already"), "{}", ended.stderr);
    assert_eq!(scene.read("mine.yaml"), yaml);
}

#[test]
fn odd_names_and_labels_survive() {
    let scene = Scene::new();
    let table =
        scene.read("reviews.csv").replace(",1\n", ",\"yes, sir\"\n").replace(",0\n", ",no\n");
    scene.write("my data.csv", &table.replace("text,label\n", "\"what: # they said\",\"no\"\n"));
    scene.run(&["init", "my data.csv", "--out", "my study.yaml"]).expect(0);
    let yaml = scene.read("my study.yaml");
    assert!(yaml.contains("  name: my-study "), "{yaml}");
    let said = scene.run(&["check", "my study.yaml"]).expect(0).stdout;
    assert!(said.contains("(36 with label `yes, sir`)"), "{said}");
}

#[test]
fn a_table_without_a_label_is_refused_with_what_there_is() {
    let scene = Scene::new();
    scene.write("t.csv", "text,stars\na b,1\nb c,2\nc d,3\n");
    let ended = scene.run(&["init", "t.csv"]).expect(2);
    assert!(ended.stderr.contains("no column can be the label"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: different values: `stars` has 3"), "{}", ended.stderr);
}

#[test]
fn a_file_written_for_arrays_is_accepted_as_it_is() {
    let scene = Scene::new();
    arrays(&scene);
    let yaml = scene.run(&["init", "arrays.npz"]).expect(0).stdout;
    assert!(yaml.contains("x_val: X_val   # 20 examples, 4 time steps, 2 features"), "{yaml}");
    scene.write("mine.yaml", &yaml);
    let said = scene.run(&["check", "mine.yaml"]).expect(0).stdout;
    assert!(said.contains("60 training (30 with label `1`), 20 validation"), "{said}");
}
