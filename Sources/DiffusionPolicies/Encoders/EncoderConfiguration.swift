import Configuration
import Environments
import NeuralNetworks
import Tensors

/// What reads the observations for a policy's network, and how images are varied in training.
///
/// A new encoder is a file with the encoder and its settings, a property here and a line in
/// `ObservationEncoderRegistry.standard`.
public struct EncoderConfiguration: Settings {
  /// `flatten`: the states one after another, without images. `vit`: DPPO's vision transformer.
  /// `resnet18`: Diffusion Policy's and LeRobot's.
  public var kind = "flatten"
  /// Whether its weights are learned; otherwise they stay as they are, and images are encoded once:
  /// fine-tuning then keeps what was made of them instead of their pixels, and so does pretraining
  /// where `shift` and `cropSize` are 0.
  public var trained = true
  /// The side of the square that is cut out of images, in pixels: at a random place in training,
  /// in the middle otherwise; 0 for whole images.
  @Setting(0...65_536) public var cropSize = 0
  /// Pixels by which images are shifted at random in training, up, down and sideways, their edges
  /// repeated; each camera's for itself. 0 for none.
  @Setting(0...1024) public var shift = 4
  /// Of `vit`.
  public var vit = ViTConfiguration()
  /// Of `resnet18`.
  public var resnet18 = ResNetConfiguration()

  /// States, without images.
  public init() {}

  /// An encoder of a kind with its defaults.
  public init(kind: String) { self.kind = kind }

  /// How images are varied.
  public var augmentation: ImageAugmentation {
    ImageAugmentation(cropSize: cropSize, shift: shift)
  }
}
