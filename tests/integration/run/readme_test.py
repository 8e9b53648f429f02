#!/usr/bin/env python3
"""What README.md says is so: its job builds and runs, its example is what the program prints, its links lead somewhere."""
import os
import re
import shlex
import subprocess

from harness import *

ROOT = pathlib.Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()


class Readme(RunTest):
    def test_TheReadmesJobBuildsAndRuns(self):
        source = re.search(r"```cpp\n(.*?)```", README, re.DOTALL).group(1)
        self.assertLessEqual(len(source.splitlines()), 20)
        self.file("linelengths.cpp", source.encode())
        compiler = shlex.split(os.environ.get("CXX", "c++"))
        subprocess.run([*compiler, "-std=c++20", "-ffp-contract=off", "-shared", "-fPIC", f"-I{ROOT / 'engine/sdk'}",
                        "linelengths.cpp", "-o", "liblinelengths.so"], cwd=self.folder, check=True)
        text = self.file("text", b"a\nbb\ncc\n\nd\r\n")
        for flags in ([], ["--sequential"]):
            out = self.done("run", "./liblinelengths.so", text, "--format", "csv", *flags).stdout
            self.assertEqual(out, b"bytes,lines\n0,1\n1,2\n2,2\n")

    def test_TheReadmesExampleIsWhatTheProgramPrints(self):
        example = re.search(r"\$ build/release/fanfold (run .*)\n((?:    .*\n)+)", README)
        arguments = example.group(1).split()
        folder = pathlib.Path(arguments[2])
        if not folder.is_dir():
            self.skipTest(f"{folder} is not on this machine")
        shown = "".join(line[4:] + "\n" for line in example.group(2).splitlines())
        printed = self.done(*arguments).stdout.decode()
        if sum(file.stat().st_size for file in folder.iterdir() if not file.is_symlink()) == 237_320:
            self.assertEqual(printed, shown)
        # Other releases of Debian have other licences: the same table with other numbers.
        self.assertEqual([re.sub(r"\d", "9", line) for line in printed.splitlines()[:2]], shown.splitlines()[:2])
        self.assertEqual(len(printed.splitlines()), len(shown.splitlines()))

    def test_TheReadmesLinksAndFoldersAreThere(self):
        for target in re.findall(r"\]\(([^)#]+)", re.sub(r"```.*?```", "", README, flags=re.DOTALL)):
            self.assertTrue((ROOT / target).exists(), target)
        for folders in re.findall(r"^\| ([a-z/ ]+/) \|", README, re.MULTILINE):
            for folder in folders.split():
                self.assertTrue((ROOT / folder).is_dir(), folder)


if __name__ == "__main__":
    main(Readme)
