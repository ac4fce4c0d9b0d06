"""An external reward: how blue an image is where the second hand holds something.

    blue_hand.py FOLDER PROMPTS    # FOLDER has PNG files of 32 x 32 pixels; prints a JSON list
"""
import json, os, sys
import numpy as np
from PIL import Image
scores = []
for name in sorted(os.listdir(sys.argv[1])):
    image = np.asarray(Image.open(os.path.join(sys.argv[1], name)).convert("RGB"), dtype=float)
    part = image[12:26, 21:31]
    scores.append(float((part[..., 2] - part[..., :2].max(-1)).clip(0).mean()))
print(json.dumps(scores))
