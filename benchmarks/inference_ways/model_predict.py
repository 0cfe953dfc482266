"""The image's own program without HTTP: `python model_predict.py TEXTS MODEL_FOLDER THREADS`. Tokenising is timed."""

import os
import sys
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2] / "container" / "inference"))

from answering import answer_turns
from inference import Model

# A batch size that is given is not measured; one post at a time is one row, whatever it is.
model = Model.load(Path(sys.argv[2]), threads=int(sys.argv[3]), batch_size=1)
answer_turns(Path(sys.argv[1]), lambda text: model.predict([text]))
