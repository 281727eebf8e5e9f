"""Every text of the report, in one table: key -> (English, Chinese). Plain text, escaped where it is used."""

from __future__ import annotations

from collections.abc import Callable

from residua.errors import UsageError, nearest

LANGUAGES = ("en", "zh")
Translate = Callable[..., str]

TEXT: dict[str, tuple[str, str]] = {
    # page
    "title_one": ("{model} on {data}", "{model}，数据：{data}"),
    "title_many": ("Comparison of {n} runs", "{n} 次训练的比较"),
    "run": ("Run", "训练"),
    "contents": ("Contents", "目录"),
    "footer": (
        "Rendered by residua from the run folder alone. This page is one file and loads nothing from "
        "anywhere.",
        "由 residua 仅根据训练目录生成。本页是单个文件，不从任何地方加载内容。",
    ),
    "copy": ("Copy", "复制"),
    "copied": ("Copied", "已复制"),
    "complete": ("complete", "已完成"),
    "unfinished": ("unfinished", "未完成"),
    "unfinished_note": (
        "This run has no result.json: it is still running or was interrupted. The page shows what is there.",
        "该训练没有 result.json：仍在进行或已中断。本页只显示已有的内容。",
    ),
    "cut_note": (
        "The last line of metrics.jsonl is cut off (the run was stopped while writing it) and is left out.",
        "metrics.jsonl 的最后一行不完整（写入时训练被中止），已忽略。",
    ),
    "limited_note": (
        "The run used only the first batches of its images (--limit-batches): a quick look, not a measurement.",
        "该训练只使用了前几批图像（--limit-batches）：仅供快速查看，不能作为测量结果。",
    ),
    "stale_note": (
        "inspection.json or samples.png was made from earlier weights than the run has now, and is left out. Once the "
        "run is complete, residua report looks inside the network again.",
        "inspection.json 或 samples.png 来自更早的权重，与该训练目前的权重不符，已省略。"
        "训练完成后，residua report 会重新检查网络内部。",
    ),
    "unknown_note": (
        "inspection.json does not say which weights it was made from (residua 0.1 wrote it, or the weights are gone): "
        "the figures of single classes, of calibration and of depth may be of others.",
        "inspection.json 没有说明它来自哪些权重（由 residua 0.1 写出，或权重已不在）："
        "各类别、置信度校准与各深度的数据可能属于其他权重。",
    ),
    "left_out": (
        "Left out, because the run folder does not hold what they need: {parts}.",
        "以下部分因训练目录中没有所需内容而省略：{parts}。",
    ),
    "comma": (", ", "、"),
    "colon": (": ", "："),
    "nothing": ("none", "无"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    # sections
    "samples": ("Samples", "样本"),
    "curves": ("Curves", "训练曲线"),
    "schedule": ("Learning rate", "学习率"),
    "confusion": ("Confusion matrix", "混淆矩阵"),
    "calibration": ("Calibration", "置信度校准"),
    "classes": ("Per class", "各类别"),
    "mistakes": ("Worst mistakes", "最严重的错误"),
    "depth": ("Gradient and response by depth", "各深度的梯度与响应"),
    "cost": ("Cost by part", "各部分的开销"),
    "recipe": ("Model and recipe", "模型与训练方案"),
    "plan": ("Plan: every automatic choice", "计划：所有自动选择"),
    "data": ("Data", "数据"),
    "environment": ("Environment", "运行环境"),
    "repeat": ("Repeat it", "重复实验"),
    "diagnosis": ("Diagnosis", "诊断"),
    "side_by_side": ("Side by side", "并列比较"),
    "differences": ("What differs", "差异"),
    # figures of the headline
    "model": ("Model", "模型"),
    "status": ("Status", "状态"),
    "seed": ("Seed", "随机种子"),
    "test_metric": ("On the test part", "测试集上"),
    "test_accuracy": ("Test accuracy", "测试准确率"),
    "val_accuracy": ("Validation accuracy", "验证准确率"),
    "train_accuracy": ("Training accuracy", "训练准确率"),
    "last_epoch": ("last epoch", "最后一轮"),
    "interval": ("95 % interval {low} – {high}, {n} images", "95% 置信区间 {low} – {high}，{n} 张图像"),
    "no_interval": ("no interval: the number of images is not known", "图像数量未知，无法给出区间"),
    "seconds": ("Training time", "训练时间"),
    "parameters": ("Parameters", "参数量"),
    "multiply_adds": ("Multiply-adds", "乘加次数"),
    "per_image": ("per image", "每张图像"),
    "epochs": ("Epochs", "训练轮数"),
    "steps_n": ("{n} steps", "{n} 步"),
    "top5": ("Top-5 accuracy", "Top-5 准确率"),
    # curves
    "error_by_epoch": ("Error by epoch", "每轮的错误率"),
    "metric_by_epoch": ("{metric} by epoch", "每轮的 {metric}"),
    "loss_by_epoch": ("Loss by epoch", "每轮的损失"),
    "loss_by_step": ("Training loss by step", "每步的训练损失"),
    "lr_by_step": ("Learning rate by step", "每步的学习率"),
    "epoch_axis": ("epoch", "轮"),
    "step_axis": ("step", "步"),
    "error_axis": ("error (%)", "错误率（%）"),
    "any_loss_axis": ("loss", "损失"),
    "loss_axis": ("cross-entropy (nats)", "交叉熵（纳特）"),
    "lr_axis": ("learning rate", "学习率"),
    "train": ("training", "训练"),
    "val": ("validation", "验证"),
    "test_mark": ("test, read once at the end: {value}", "测试（仅在结束时读取一次）：{value}"),
    "test_of": ("test: {value}", "测试：{value}"),
    "of_run": ("{run}, {what}", "{run}，{what}"),
    "curves_note": (
        "Training figures are means over an epoch while the weights change and the images are "
        "augmented, so they can lie above the validation figures.",
        "训练指标是一轮之内的平均值，其间权重在变化且图像经过增强，因此可能高于验证指标。",
    ),
    # confusion
    "true_axis": ("true class", "真实类别"),
    "predicted_axis": ("predicted class", "预测类别"),
    "confusion_note": (
        "Rows are true classes, columns are predictions; {right} of {n} are right. Blue: right. "
        "Orange: wrong, coloured by the square root of the share of the row so that rare mistakes show.",
        "行是真实类别，列是预测；{n} 张中有 {right} 张正确。蓝色：正确。橙色：错误，按行内占比的平方根"
        "着色，使罕见错误可见。",
    ),
    "confusion_map": ("Predictions by true class", "各真实类别的预测"),
    "confusion_order": (
        "Numbers on the axes count the classes in their order, from 0.",
        "坐标轴上的数字是类别序号，从 0 开始。",
    ),
    "top_confusions": ("Most frequent confusions", "最常见的混淆"),
    "true": ("True", "真实"),
    "predicted": ("Predicted", "预测"),
    "times": ("Times", "次数"),
    "share_of_class": ("Of the class", "占该类"),
    "no_confusions": ("No image was confused.", "没有任何图像被混淆。"),
    # calibration, classes, mistakes
    "confidence_axis": ("confidence (%)", "置信度（%）"),
    "accuracy_axis": ("accuracy (%)", "准确率（%）"),
    "reliability": ("Accuracy by confidence", "各置信度下的准确率"),
    "measured": ("measured", "实测"),
    "perfect": ("perfectly calibrated", "完全校准"),
    "calibration_note": (
        "Below the dashed line the network is more confident than it is right. Bins without images are "
        "left out.",
        "低于虚线表示网络过于自信。没有图像的区间已省略。",
    ),
    "ece": ("Expected calibration error", "期望校准误差 (ECE)"),
    "nll": ("Negative log-likelihood (nats)", "负对数似然（纳特）"),
    "bin_confidence": ("Mean confidence", "平均置信度"),
    "bin_accuracy": ("Accuracy", "准确率"),
    "images": ("Images", "图像数"),
    "class": ("Class", "类别"),
    "recall": ("Recall", "召回率"),
    "precision": ("Precision", "精确率"),
    "classes_note": ("Lowest recall first.", "按召回率从低到高排列。"),
    "mistakes_note": (
        "Wrong predictions, as the evaluation orders them; small images are enlarged without smoothing.",
        "错误预测，按评估给出的顺序；小图像放大时不作平滑。",
    ),
    "mistake": ("{true} → {predicted}", "{true} → {predicted}"),
    "confidence": ("confidence {value}", "置信度 {value}"),
    "more_mistakes": ("{n} more are in inspection.json.", "另有 {n} 个在 inspection.json 中。"),
    "no_mistakes": ("There is no mistake to show.", "没有可显示的错误。"),
    # depth and cost
    "gradient": ("Gradient norm by unit", "各单元的梯度范数"),
    "unit_axis": ("unit, from input to output", "单元，从输入到输出"),
    "gradient_axis": ("norm of dL/dx", "dL/dx 的范数"),
    "residual": ("residual unit", "残差单元"),
    "plain": ("plain unit", "普通单元"),
    "response": ("Response by layer", "各层的响应"),
    "layer_axis": ("layer, from input to output", "层，从输入到输出"),
    "response_axis": ("standard deviation", "标准差"),
    "in_order": ("in order of depth", "按深度顺序"),
    "sorted": ("sorted, largest first", "从大到小排序"),
    "depth_note": (
        "Response: standard deviation of each layer's output after its normalisation, as in He et al. 2015, "
        "figure 7. Solid: in order of depth. Dashed: sorted, largest first.",
        "响应：各层归一化之后输出的标准差，同 He 等 2015 图 7。实线：按深度顺序。虚线：从大到小排序。",
    ),
    "gap_note": (
        "Values that are zero, missing or not finite have no place on this axis and are left out: {n}.",
        "为零、缺失或非有限的值无法在该坐标轴上显示，已省略：{n} 个。",
    ),
    "part": ("Part", "部分"),
    "total": ("Total", "合计"),
    # the stored tables
    "setting": ("Setting", "项目"),
    "value": ("Value", "值"),
    "more": ("and {n} more", "另有 {n} 项"),
    "none_skipped": ("No file was skipped.", "没有跳过任何文件。"),
    "skipped": ("Skipped files: {n}", "跳过的文件：{n} 个"),
    "file": ("File", "文件"),
    "reason": ("Reason", "原因"),
    "class_list": ("Classes: {n}", "类别：{n} 个"),
    "repeat_note": (
        "The command of this run, as env.json holds it. The same plan, versions and data give the same "
        "weights.",
        "本次训练的命令，取自 env.json。计划、版本和数据相同，则得到相同的权重。",
    ),
    # reproductions: what a paper claims, and what was measured
    "claim": ("The claim", "论断"),
    "published_section": ("What is published", "已发表的结果"),
    "figure_section": ("Figure", "图"),
    "measured_section": ("Measured", "实测结果"),
    "checks": ("Checks", "检验"),
    "misquotes": ("Often misquoted", "常见的误引"),
    "caveats": ("Caveats", "注意事项"),
    "arms": ("What was run", "实验内容"),
    "time": ("Time and hardware", "时间与硬件"),
    "reproduction_footer": (
        "Rendered by residua from result.json alone. This page is one file and loads nothing from anywhere.",
        "由 residua 仅根据 result.json 生成。本页是单个文件，不从任何地方加载内容。",
    ),
    "reproduced": ("reproduced", "已复现"),
    "direction reproduced": ("direction reproduced", "方向已复现"),
    "not reproduced": ("not reproduced", "未复现"),
    "statements": ("Of {n} statements: {counts}.", "{n} 条陈述：{counts}。"),
    "undecided": ("undecided", "尚未判定"),
    "not judged at this scale": ("not judged at this scale", "此规模下不作判定"),
    "no result yet": ("no result yet", "尚无结果"),
    "means_reproduced": (
        "Every statement holds as it is stated: exactly, or within the tolerance of the published number.",
        "每条陈述都如所述成立：精确成立，或在已发表数值的容差之内。",
    ),
    "means_direction": (
        "The differences go the way that is claimed, beyond what chance explains. Their size is not judged.",
        "差异的方向与论断一致，且超出偶然所能解释的范围。差异的大小不作判定。",
    ),
    "means_not": (
        "At least one statement is refuted by what was measured here.",
        "至少有一条陈述被此处的测量所否定。",
    ),
    "means_undecided": (
        "The seeds differ too much, or are too few, to tell.",
        "各随机种子之间差异过大，或种子过少，无法判定。",
    ),
    "means_not_judged": (
        "Nothing was judged: this scale cannot tell.",
        "未作判定：此规模无法说明问题。",
    ),
    "scale": ("Scale", "规模"),
    "scale_note": (
        "The published figures are of the paper's own data and training. This is the scale “{scale}”, on {data}: "
        "the numbers cannot be compared with the published ones; the direction of the differences is judged.",
        "已发表的数值来自论文自己的数据和训练。这里的规模是“{scale}”，数据为 {data}：数值不能与已发表的相比，"
        "只判定差异的方向。",
    ),
    "unconfirmed": ("unconfirmed", "未经核实"),
    "train_error": ("Training error (%)", "训练错误率（%）"),
    "test_error": ("Test error (%)", "测试错误率（%）"),
    "early_train_error": (
        "Training error, mean of the first quarter (%)",
        "训练错误率，前四分之一的平均（%）",
    ),
    "arm": ("Arm", "组"),
    "deleted_axis": ("number of units deleted", "删除的单元数"),
    "path_axis": ("length of the path (units whose branch it takes)", "路径长度（经过分支的单元数）"),
    "conv_axis": ("3x3 layer, from input to output", "3x3 层，从输入到输出"),
    "units_axis": ("number of units", "单元数"),
    "published_measure": ("Figure", "指标"),
    "seeds_n": ("Seeds", "种子数"),
    "published": ("published {values}", "已发表 {values}"),
    "source": ("Source", "来源"),
    "not_comparable": ("not comparable here", "此处不可比"),
    "nothing_published": ("The paper prints no number here.", "论文在此没有给出数值。"),
    "said": ("Popular texts say", "流行文章的说法"),
    "truth": ("The source says", "原始文献的说法"),
    "changes": ("Changes", "改动"),
    "common": ("Common to all arms", "各组共同的设置"),
    "seeds_of": ("{n} (at most {most})", "{n}（至多 {most}）"),
    "failed": ("Failed", "失败"),
    "not_whole": (
        "Some runs failed; the verdict rests on the others.",
        "部分训练失败；判定仅依据其余的训练。",
    ),
    "training_time": ("Training time, all runs together", "全部训练的总时间"),
    "processor": ("Processor", "处理器"),
    "memory": ("Memory", "内存"),
    "versions": ("Versions", "版本"),
    "repeat_experiment": (
        "The command that made this result. What is complete is read again, not run again.",
        "得到此结果的命令。已完成的部分直接读取，不会重新运行。",
    ),
    "error_of": ("Error by epoch, {arms}", "每轮的错误率，{arms}"),
    "curves_seeds": (
        "One colour an arm. Bold: test. Thin and dashed: training. Star: test error at the end, where it was read only "
        "then. Lines are means over seeds, bands one standard deviation.",
        "每组一种颜色。粗线：测试。细虚线：训练。星号：最终的测试错误率（仅在结束时读取的情况）。线是各种子的平均，"
        "色带是一个标准差。",
    ),
    "series_seeds": (
        "Lines are means over seeds, bands one standard deviation.",
        "线是各种子的平均，色带是一个标准差。",
    ),
    "dots_seeds": (
        "Small dot: one seed. Bar: their mean. At the right: mean ± standard deviation.",
        "小圆点：一个种子。竖线：平均值。右侧：平均值 ± 标准差。",
    ),
    "dots_published": ("Diamond: published value.", "菱形：已发表的数值。"),
    "checks_note": (
        "Differences are of paired seeds; ± is their standard deviation. A direction is decided when its one-sided p "
        "is below the level, which is 0.05 divided by the claims and looks, so that all of them together err with a "
        "chance of at most 5 %.",
        "差值按种子配对计算，± 为其标准差。单侧 p 低于水平时方向即判定；该水平是 0.05 除以论断数与查看次数，因此"
        "全部判定合计出错的概率至多 5 %。",
    ),
    "gallery": ("The papers, checked", "论文的检验"),
    "experiments": ("Experiments", "实验"),
    "by_claim": ("Claim by claim", "逐条论断"),
    "not_run": ("Not run yet", "尚未运行"),
    "damaged": ("damaged", "已损坏"),
    "verdict": ("Verdict", "判定"),
    "gallery_note": (
        "{n} results. Each card leads to its page: the claim, what is published, what was measured, and how it was "
        "judged.",
        "共 {n} 项结果。每张卡片通往其页面：论断、已发表的结果、实测结果，以及判定的依据。",
    ),
    # comparison
    "same": (
        "Model, recipe, plan and data are the same in every run.",
        "所有训练的模型、方案、计划和数据都相同。",
    ),
    "differences_note": (
        "Only what differs; – where a run does not state it.",
        "只列出不同之处；– 表示该训练未说明。",
    ),
    "other_data": (
        "The runs saw different data (their fingerprints differ): their accuracies are not comparable.",
        "各训练使用的数据不同（指纹不同）：准确率不可比较。",
    ),
    "no_diagnosis": (
        "No diagnosis: it needs a completed epoch of both runs, and test or validation accuracy of both.",
        "无法诊断：需要两次训练都至少完成一轮，并且都有测试或验证准确率。",
    ),
    "overlay_note": (
        "Dashed: training. Solid: validation. Star: test.",
        "虚线：训练。实线：验证。星号：测试。",
    ),
    # diagnosis
    "unlike": (
        " They were not trained alike ({settings}), which may be the cause.",
        "两者的训练方式不同（{settings}），这可能就是原因。",
    ),
    "degraded": ("degraded", "退化"),
    "overfitted": ("overfitted", "过拟合"),
    "not learning": ("not learning", "没有学习"),
    "no clear difference": ("no clear difference", "无明显差异"),
    "test": ("test", "测试"),
    "say_degraded": (
        "{worse} is degraded: its {on} error ({worse_error}) is higher than that of {better} "
        "({better_error}), and so is its training error ({worse_train} against {better_train}); so "
        "this is not overfitting (He et al. 2015, sec. 1).",
        "{worse} 出现退化：其{on}错误率（{worse_error}）高于 {better}（{better_error}），训练错误率也更"
        "高（{worse_train} 对 {better_train}），因此不是过拟合（He 等 2015，第 1 节）。",
    ),
    "say_overfitted": (
        "{worse} is overfitted: its {on} error ({worse_error}) is higher than that of {better} "
        "({better_error}) although its training error is as low or lower ({worse_train} against "
        "{better_train}).",
        "{worse} 过拟合：其{on}错误率（{worse_error}）高于 {better}（{better_error}），但训练错误率同样"
        "低或更低（{worse_train} 对 {better_train}）。",
    ),
    "say_loss": (
        "{worse} is not learning: its training loss ended at {loss}, and guessing gives {chance} "
        "({classes} classes).",
        "{worse} 没有学习：其训练损失最终为 {loss}，而随机猜测为 {chance}（{classes} 个类别）。",
    ),
    "say_diverged": (
        "{worse} is not learning: its training loss is no longer a finite number, so it diverged.",
        "{worse} 没有学习：其训练损失已不是有限的数，训练发散。",
    ),
    "say_chance": (
        "{worse} is not learning: its training accuracy ended at {accuracy}, and guessing gives {chance}.",
        "{worse} 没有学习：其训练准确率最终为 {accuracy}，而随机猜测为 {chance}。",
    ),
    "say_none": (
        "No clear difference: the {on} errors of {worse} ({worse_error}) and {better} ({better_error}) "
        "differ by no more than chance explains (95 % interval of the difference: {low} to {high} "
        "points).",
        "无明显差异：{worse}（{worse_error}）与 {better}（{better_error}）的{on}错误率之差不超过偶然波"
        "动（差值的 95% 区间：{low} 到 {high} 个百分点）。",
    ),
    "say_uncounted": (
        "No clear difference can be stated between {worse} ({on} error {worse_error}) and {better} "
        "({better_error}): the number of {on} images is not known.",
        "无法判断 {worse}（{on}错误率 {worse_error}）与 {better}（{better_error}）是否有明显差异：{on}"
        "图像数量未知。",
    ),
}


def translator(lang: str) -> Translate:
    """A function that gives the text of a key in ``lang``, with its fields filled in.

    Raises UsageError for a language that the report is not written in.
    """
    if lang not in LANGUAGES:
        raise UsageError(f"the report has no language {lang!r}{nearest(lang, LANGUAGES)}")
    column = LANGUAGES.index(lang)
    return lambda key, **fields: TEXT[key][column].format(**fields)
