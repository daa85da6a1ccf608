"""The peer: what a data scientist would use. TF-IDF over words and pairs of words, logistic regression, its
settings the best of a small grid (C 1 to 1,000, class weights, sublinear counts) on the very mails it is judged on,
which favours the peer.

Reads two JSONL files of {"text", "label"}; writes {"predictions": [...], "seconds": ...} as JSON.
"""

import json
import sys
import time

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def read(path):
    with open(path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    return [row["text"] for row in rows], [row.get("label") for row in rows]


def main(train_path, test_path, out_path):
    texts, labels = read(train_path)
    judged, _ = read(test_path)
    start = time.perf_counter()
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=100.0, class_weight="balanced", max_iter=1000),
    )
    model.fit(texts, labels)
    predictions = [str(label) for label in model.predict(judged)]
    with open(out_path, "w", encoding="utf-8") as out:
        json.dump({"predictions": predictions, "seconds": time.perf_counter() - start}, out)


main(*sys.argv[1:4])
