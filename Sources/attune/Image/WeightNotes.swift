import Files
import Runs
import TextToImage

extension RunLog {
  /// Prints which files the weights of a model folder come from, where that is not the only choice.
  func noteWeights(ofModel folder: String) {
    for note in TextToImageModel.weightNotes(folder: folder) { say(note.printable) }
  }
}
