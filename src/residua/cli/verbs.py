"""The verbs as data: what each is for and how it is used, so that help answers without importing any of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """A verb of the command: ``function`` is ``module:function`` below ``residua.cli``."""

    function: str
    about: str
    examples: tuple[str, ...]
    listing: str = ""  # module:function below residua: what it can be asked, for its own help alone


VERBS = {
    "train": Verb(
        "train:train",
        "Train a network on images; leaves a run folder with the weights, every figure and a report.",
        (
            "residua train",
            "residua train path/to/images --model resnet18 --epochs 20",
            "residua train cifar10:path --model cifar_resnet56 --recipe he2015-cifar --seed 1",
            "residua train path/to/images --weights bundled",
            "residua train --resume latest",
            "residua train path/to/images --model resnet18 --processes 2",
            "residua train --set model.shortcut=C --set recipe.label_smoothing=0.1",
            "residua train path/to/images --budget 10m --target cpu:5ms",
        ),
    ),
    "evaluate": Verb(
        "evaluate:evaluate",
        "Measure runs, weight files or peers' checkpoints on images.",
        (
            "residua evaluate latest",
            "residua evaluate latest --flip --scales 0.9,1,1.1",
            "residua evaluate runs/seed0 runs/seed1 runs/seed2 --ensemble",
            "residua evaluate resnet20.th path/to/cifar-10 --json",
        ),
    ),
    "labels": Verb(
        "labels:labels",
        "Find training images whose label is probably wrong: trains again, a fold left out each time.",
        ("residua labels latest", "residua labels runs/flowers --folds 3 --json"),
    ),
    "analyze": Verb(
        "analyze:analyze",
        "Look inside networks: a table, a figure and a sentence for each kind of question.",
        (
            "residua analyze response latest",
            "residua analyze response resnet20.th path/to/cifar-10 --against resnet56.th",
        ),
        "looks.base:listing",
    ),
    "bench": Verb(
        "bench:bench",
        "Time a network here with everything that can run it: torch, ONNX Runtime, OpenVINO, in every precision.",
        (
            "residua bench latest",
            "residua bench resnet50 --batch-size 1,16 --page bench.html",
            "residua bench latest --backends onnxruntime,openvino --best",
        ),
    ),
    "predict": Verb(
        "predict:predict",
        "Say what is on images.",
        (
            "residua predict latest photo.jpg",
            "residua predict runs/flowers photos/ --top-k 3 --json",
            "residua predict latest photos/ --csv --page sheet.html > answers.csv",
            "residua predict latest - < photo.jpg",
            "find photos -mtime -1 | residua predict latest --files-from -",
        ),
    ),
    "export": Verb(
        "export:export",
        "Ship a trained network: one folder with the model, its preprocessing, its labels and what was measured.",
        (
            "residua export latest",
            "residua export runs/flowers --format openvino --precision int8",
            "residua export model.safetensors --format pt2 --out shipped --data path/to/images",
        ),
    ),
    "serve": Verb(
        "serve:serve",
        "Serve models over HTTP: POST images to /v1/predict.",
        (
            "residua serve latest",
            "residua serve cats=runs/cats/int8 dogs=runs/dogs --port 8080 --max-batch 64",
            "residua serve latest --host 0.0.0.0 --token-file token",
        ),
    ),
    "ui": Verb(
        "ui:ui",
        "Show the runs on a page: live curves, reports, papers, and networks that can be asked about images.",
        ("residua ui", "residua ui path/to/runs --port 9000 --open"),
    ),
    "report": Verb(
        "report:report",
        "Render an offline HTML report of one run, of several side by side, or of reproduced experiments.",
        (
            "residua report latest",
            "residua report runs/plain56 runs/resnet56 --lang zh --out why.html",
            "residua report runs/reproduce",
        ),
    ),
    "runs": Verb(
        "runs:runs",
        "List the runs under runs/, oldest first; or compare the named ones, and show in what they differ.",
        (
            "residua runs",
            "residua runs --filter 'model=cifar_*' --filter 'test>0.9' --sort test --reverse",
            "residua runs latest runs/other --json",
        ),
    ),
    "models": Verb(
        "models:models",
        "List the networks that can be built, with exact costs.",
        ("residua models", 'residua models "cifar*"', "residua models cifar_resnet26"),
    ),
    "recipes": Verb(
        "recipes:recipes",
        "List the recipes of training: what each is for, where it comes from, what was measured with it here.",
        ("residua recipes", 'residua recipes "fast*"', "residua recipes he2015-cifar"),
    ),
    "describe": Verb(
        "describe:describe",
        "Show a network stage by stage: shapes, costs, what deviates from the paper, the published figures.",
        (
            "residua describe resnet50",
            "residua describe cifar_resnet110 --set shortcut=B",
            "residua describe resnet18 --input 3,32,32 --set stem=cifar",
            "residua describe latest",
        ),
    ),
    "convert": Verb(
        "convert:convert",
        "Bring a network's weights to another library, or another library's here; the outputs stay the same.",
        (
            "residua convert resnet20.th resnet20.safetensors --to residua",
            "residua convert latest resnet.pth --to torchvision",
            "residua convert torchvision:resnet50 resnet50.safetensors --to timm",
        ),
    ),
    "reproduce": Verb(
        "reproduce:reproduce",
        "Run experiments of the papers: published value, measured value, verdict.",
        (
            "residua reproduce --list",
            "residua reproduce he2015/convergence",
            "residua reproduce he2015 --data path/to/cifar-10 --scale small --seeds 3",
            "residua reproduce all --scale quick",
        ),
    ),
    "compare": Verb(
        "compare:compare",
        "Train two networks with the same seeds until it is decided which is better, at equal cost if wanted.",
        (
            "residua compare cifar_plain20 cifar_resnet20",
            "residua compare cifar_resnet20 my_block.py:squeezed --match params --data path/to/cifar-10",
            "residua compare mine.toml cifar_wrn16_4 --match time --epochs 20 --out mine",
        ),
    ),
    "completion": Verb(
        "completion:completion",
        "Print the script that lets a shell complete verbs, flags and their values.",
        (
            "residua completion bash > ~/.local/share/bash-completion/completions/residua",
            "residua completion zsh > ~/.zfunc/_residua  # a folder of fpath",
            "residua completion fish > ~/.config/fish/completions/residua.fish",
        ),
    ),
    "doctor": Verb(
        "doctor:doctor",
        "Check this machine: compiler, instruction set, threads, extras, GPU.",
        ("residua doctor", "residua doctor --json"),
    ),
}

DATA_VERBS = {
    "look": Verb(
        "data:look",
        "Look at images before training on them: classes, sizes, what cannot be read, what lies there twice.",
        ("residua data look path/to/images", "residua data look labels.csv --lang zh --out look.html"),
    ),
    "prepare": Verb(
        "data:prepare",
        "Make images small once, into checksummed tar shards that train from then on; the same command goes on.",
        (
            "residua data prepare path/to/photos --out small",
            "residua data prepare parquet:path --out small --size 160 --quality 90",
            "residua train small",
        ),
    ),
    "fetch": Verb(
        "data:fetch",
        "Download CIFAR-10 or CIFAR-100, resumed and verified; training reads the archive as it is.",
        (
            "residua data fetch cifar10",
            "residua data fetch cifar100 --root path --mirror https://example.org/cifar",
        ),
    ),
}

TOUR = (
    "residua train",
    "residua data look path/to/images",
    "residua train path/to/images --model resnet18 --epochs 20",
    "residua train --resume latest",
    "residua evaluate latest --flip",
    "residua describe resnet50",
)
