"""Writes events.golden with TensorBoard's own classes, and reads an event file of Attune with them.

    python generate.py                 writes events.golden beside this file
    python generate.py --read FOLDER   prints what TensorBoard sees in a run folder

Needs: pip install tensorboard
"""

import argparse
import io
import pathlib

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def write(path):
    wall_time = 1_700_000_000.25
    image = Summary.Image(
        height=2, width=3, colorspace=3, encoded_image_string=b"not a png")
    events = [
        Event(wall_time=wall_time, file_version="brain.Event:2"),
        Event(wall_time=wall_time, step=11, session_log=SessionLog(status=SessionLog.START)),
        Event(wall_time=wall_time, step=12, summary=Summary(
            value=[Summary.Value(tag="meanReturn", simple_value=1.5)])),
        Event(wall_time=wall_time, step=13, summary=Summary(
            value=[Summary.Value(tag="grid", image=image)])),
    ]
    buffer = io.BytesIO()
    buffer.close = lambda: None
    writer = RecordWriter(buffer)
    for event in events:
        writer.write(event.SerializeToString())
    path.write_bytes(buffer.getvalue())


def read(folder):
    accumulator = EventAccumulator(folder).Reload()
    for tag in accumulator.Tags()["scalars"]:
        points = [(point.step, point.value) for point in accumulator.Scalars(tag)]
        print("scalar", tag, points)
    for tag in accumulator.Tags()["images"]:
        for image in accumulator.Images(tag):
            print("image", tag, image.step, image.width, image.height)


parser = argparse.ArgumentParser()
parser.add_argument("--read")
folder = parser.parse_args().read
if folder:
    read(folder)
else:
    write(pathlib.Path(__file__).with_name("events.golden"))
