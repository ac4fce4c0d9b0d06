import Foundation

extension TemporaryFolder {
  /// A text-to-video model of a few weights in the layout of diffusers: the U-Net of
  /// `Goldens/TextToVideo` beside the other parts of `Goldens/TextToImage`. Its clips are of 16 x 16
  /// pixels.
  public func writeVideoModel(_ name: String) throws {
    let manager = FileManager.default
    try manager.copyItem(atPath: Repository.golden("TextToVideo/pipeline"), toPath: file(name))
    for part in ["pipeline/text_encoder", "pipeline/vae", "tokenizer"] {
      let target = file("\(name)/\(URL(filePath: part).lastPathComponent)")
      try manager.copyItem(atPath: Repository.golden("TextToImage/\(part)"), toPath: target)
    }
  }
}
