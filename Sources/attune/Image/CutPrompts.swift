import Runs
import TextToImage

extension RunLog {
  /// Tells what a model does not see of prompts that are too long for it.
  func warnOfCutPrompts(_ prompts: [String], tokenizer: CLIPTokenizer) {
    for prompt in prompts {
      guard let rest = tokenizer.rest(of: prompt) else { continue }
      warn(
        "the model sees \(tokenizer.maximumLength) tokens of a prompt, and not this end of it: "
          + "'\(rest.printable)'")
    }
  }
}
