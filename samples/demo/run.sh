#!/usr/bin/env bash
# Both main jobs on the bundled checkpoints: `make demo`, or samples/demo/run.sh [FOLDER].
set -euo pipefail
cd "$(dirname "$0")/../.."
attune=.build/release/attune
folder=${1:-runs/demo-$(date +%Y%m%d-%H%M%S)}
prompt="a burning orc in gold plate armour, holding a spear and a blue book"

say() { printf '\n== %s\n' "$*"; }

say "1 of 3: DPPO teaches a Hopper that falls to hop"
"$attune" policy finetune --config samples/demo/hopper.yaml --output "$folder/hopper"
# The last policy, not the best of several evaluations: what was learned, without luck.
cp "$folder/hopper/checkpoints/iteration-000015.safetensors" "$folder/hopper/finetuned.safetensors"
say "Before and after, on 100 starts that the training never saw"
"$attune" policy evaluate --checkpoint "$folder/hopper/finetuned.safetensors" \
  --against checkpoints/hopper-pretrained.safetensors --episodes 100 --seed 2000000 \
  --video "$folder/hopper/videos/side-by-side.mp4"

say "2 of 3: FIND learns the noise of a rare prompt"
"$attune" noise optimize --config samples/find/find.yaml --prompt "$prompt" \
  --output "$folder/find"
say "Plain noise, the learned noise and best-of-N, on fresh seeds"
"$attune" noise evaluate --model checkpoints/dolls --prior "$folder/find/prior.safetensors" \
  --reward "attributes:'checkpoints/dolls-attributes'" \
  --clip checkpoints/dolls-clip --classifier checkpoints/dolls-classifier

say "3 of 3: a page about both"
"$attune" report "$folder/hopper" "$folder/find" --output "$folder/report.html"
