/// What surrounds a robot in its model: sky, light, a checkered floor and a camera.
enum RobotScene {
  /// Textures and materials; their numbers do not touch the physics.
  static let assets = """
    <asset>
      <texture name="sky" type="skybox" builtin="gradient" width="64" height="384"
        rgb1="0.80 0.88 0.95" rgb2="0.35 0.47 0.62"/>
      <texture name="checker" type="2d" builtin="checker" width="256" height="256"
        rgb1="0.43 0.50 0.55" rgb2="0.56 0.63 0.67" mark="edge" markrgb="0.66 0.72 0.75"/>
      <material name="ground" texture="checker" texuniform="true" texrepeat="1 1"
        reflectance="0.08" shininess="0.2" specular="0.2"/>
      <material name="shell" rgba="0.91 0.49 0.20 1" shininess="0.6" specular="0.4"/>
      <material name="far side" rgba="0.33 0.35 0.68 1" shininess="0.6" specular="0.4"/>
      <material name="shank" rgba="0.97 0.68 0.38 1" shininess="0.6" specular="0.4"/>
    </asset>
    <visual>
      <headlight ambient="0.42 0.42 0.42" diffuse="0.22 0.22 0.22" specular="0 0 0"/>
      <quality shadowsize="2048" offsamples="4"/>
      <map znear="0.02" zfar="60"/>
    </visual>
    """

  /// A sun that travels with the robot, so that its shadow stays sharp.
  static let light = """
    <light name="sun" mode="trackcom" directional="true" pos="-1.5 -2 5" dir="0.3 0.4 -1"
      ambient="0 0 0" diffuse="0.62 0.62 0.60" specular="0.3 0.3 0.3" castshadow="true"/>
    """

  /// A camera that follows the centre of mass from the side.
  ///
  /// It stands `distance` metres away and `height` metres over what it looks at, which at rest is
  /// `lookingBelow` metres under the torso.
  static func camera(distance: Double, height: Double, lookingBelow drop: Double) -> String {
    // The picture's up axis leans back by the slope of the view.
    """
    <camera name="track" mode="trackcom" pos="0 \(-distance) \(height - drop)"
      xyaxes="1 0 0 0 \(height / distance) 1"/>
    """
  }
}
