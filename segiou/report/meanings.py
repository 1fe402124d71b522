"""What each score means, in one sentence, for readers who do not know it by its name."""

MEANINGS = {
    "mIoU": "Mean intersection over union: the overlap of prediction and target over their union, averaged over "
    "classes.",
    "IoU": "Intersection over union: right pixels of a class over all pixels predicted as it or labelled as it.",
    "Dice": "Dice coefficient, or F1: twice the overlap over the sum of predicted and target pixels.",
    "Precision": "Share of the pixels predicted as a class that are right.",
    "Recall": "Share of the target pixels of a class that were found.",
    "FBeta": "Weighted harmonic mean of precision and recall.",
    "PixelAccuracy": "Share of all counted pixels that are right; frequent classes dominate it.",
    "MeanAccuracy": "Recall of each class, averaged over classes.",
    "FrequencyWeightedIoU": "IoU averaged over classes, each weighted by its share of the target pixels.",
    "CohenKappa": "Agreement of prediction and target beyond what chance gives; 1 is perfect, 0 is chance.",
    "MatthewsCorrCoef": "Correlation of prediction and target over all pixels; 1 is perfect, 0 is chance.",
    "mIoU_I": "mIoU of each image alone, averaged over images: every image counts the same.",
    "mIoU_C": "IoU of each class in each image, averaged over images, then over classes: every class counts "
    "the same, rare ones too.",
    "BoundaryIoU": "IoU of the pixels near the outlines alone: how well edges are drawn.",
    "mIoU of groups": "mIoU of groups of classes, in which confusions within a group are no errors.",
}


def meaning(name: str) -> str:
    """The meaning of a score by its name, or nothing where it is not known."""
    return MEANINGS.get(name, "")
