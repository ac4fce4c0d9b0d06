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
    // The image's up axis leans back by the slope of the view.
    """
    <camera name="track" mode="trackcom" pos="0 \(-distance) \(height - drop)"
      xyaxes="1 0 0 0 \(height / distance) 1"/>
    """
  }
}

/// The one-legged hopper of Erez, Tassa and Todorov (2011): a torso on a thigh, a leg and a foot.
///
/// It moves in the x-z plane: two slides and a hinge carry the torso, three motors turn the rest.
enum HopperModel {
  static let text = """
    <mujoco model="hopper">
      <compiler angle="degree" inertiafromgeom="true"/>
      <option timestep="0.002" integrator="RK4"/>
      <default>
        <joint type="hinge" axis="0 -1 0" limited="true" damping="1" armature="1"/>
        <geom type="capsule" material="shell" friction="0.9" condim="1" contype="1"
          conaffinity="1" margin="0.001" solref="0.02 1" solimp="0.8 0.8 0.01"/>
        <motor gear="200" ctrllimited="true" ctrlrange="-1 1"/>
        <default class="carriage">
          <joint limited="false" damping="0" armature="0" stiffness="0"/>
        </default>
      </default>
      \(RobotScene.assets)
      <worldbody>
        \(RobotScene.light)
        <geom name="floor" type="plane" size="20 20 0.125" material="ground" friction="1"
          condim="3"/>
        <body name="torso" pos="0 0 1.25">
          \(RobotScene.camera(distance: 3.2, height: 0.5, lookingBelow: 0.38))
          <joint class="carriage" name="x" type="slide" axis="1 0 0" pos="0 0 -1.25"/>
          <joint class="carriage" name="height" type="slide" axis="0 0 1" pos="0 0 -1.25"
            ref="1.25"/>
          <joint class="carriage" name="pitch" axis="0 1 0"/>
          <geom name="torso" size="0.05 0.2"/>
          <body name="thigh" pos="0 0 -0.2">
            <joint name="thigh" range="-150 0"/>
            <geom name="thigh" pos="0 0 -0.225" size="0.05 0.225"/>
            <body name="leg" pos="0 0 -0.7">
              <joint name="leg" pos="0 0 0.25" range="-150 0"/>
              <geom name="leg" size="0.04 0.25" material="shank"/>
              <body name="foot" pos="0.13 0 -0.35">
                <joint name="foot" pos="-0.13 0 0.1" range="-45 45"/>
                <geom name="foot" pos="-0.065 0 0.1" euler="0 -90 0" size="0.06 0.195"
                  friction="2"/>
              </body>
            </body>
          </body>
        </body>
      </worldbody>
      <actuator>
        <motor name="thigh" joint="thigh"/>
        <motor name="leg" joint="leg"/>
        <motor name="foot" joint="foot"/>
      </actuator>
    </mujoco>
    """
}

/// The planar walker: the hopper's torso on two legs.
enum Walker2DModel {
  /// The model; the right foot's friction is 0.9 in Gymnasium's v4 and 1.9 in its v5.
  static func text(rightFootFriction: Double) -> String {
    """
    <mujoco model="walker2d">
      <compiler angle="degree" inertiafromgeom="true"/>
      <option timestep="0.002" integrator="RK4"/>
      <default>
        <joint type="hinge" axis="0 -1 0" limited="true" damping="0.1" armature="0.01"/>
        <geom type="capsule" material="shell" friction="0.9 0.1 0.1" density="1000" condim="3"
          contype="1" conaffinity="0"/>
        <motor gear="100" ctrllimited="true" ctrlrange="-1 1"/>
        <default class="carriage">
          <joint limited="false" damping="0" armature="0" stiffness="0"/>
        </default>
      </default>
      \(RobotScene.assets)
      <worldbody>
        \(RobotScene.light)
        <geom name="floor" type="plane" size="40 40 40" material="ground" conaffinity="1"
          friction="0.7 0.1 0.1"/>
        <body name="torso" pos="0 0 1.25">
          \(RobotScene.camera(distance: 3.2, height: 0.5, lookingBelow: 0.38))
          <joint class="carriage" name="x" type="slide" axis="1 0 0" pos="0 0 -1.25"/>
          <joint class="carriage" name="height" type="slide" axis="0 0 1" pos="0 0 -1.25"
            ref="1.25"/>
          <joint class="carriage" name="pitch" axis="0 1 0"/>
          <geom name="torso" size="0.05 0.2"/>
          \(leg(side: "right", footFriction: rightFootFriction, material: "shell"))
          \(leg(side: "left", footFriction: 1.9, material: "far side"))
        </body>
      </worldbody>
      <actuator>
        <motor name="right thigh" joint="right thigh"/>
        <motor name="right leg" joint="right leg"/>
        <motor name="right foot" joint="right foot"/>
        <motor name="left thigh" joint="left thigh"/>
        <motor name="left leg" joint="left leg"/>
        <motor name="left foot" joint="left foot"/>
      </actuator>
    </mujoco>
    """
  }

  private static func leg(side: String, footFriction: Double, material: String) -> String {
    """
    <body name="\(side) thigh" pos="0 0 -0.2">
      <joint name="\(side) thigh" range="-150 0"/>
      <geom name="\(side) thigh" pos="0 0 -0.225" size="0.05 0.225" material="\(material)"/>
      <body name="\(side) leg" pos="0 0 -0.7">
        <joint name="\(side) leg" pos="0 0 0.25" range="-150 0"/>
        <geom name="\(side) leg" size="0.04 0.25" material="\(material)"/>
        <body name="\(side) foot" pos="0.2 0 -0.35">
          <joint name="\(side) foot" pos="-0.2 0 0.1" range="-45 45"/>
          <geom name="\(side) foot" pos="-0.1 0 0.1" euler="0 -90 0" size="0.06 0.1"
            friction="\(footFriction) 0.1 0.1" material="\(material)"/>
        </body>
      </body>
    </body>
    """
  }
}

/// The planar half cheetah of Wawrzynski (2009): a long torso with a head and two sprung legs.
enum HalfCheetahModel {
  static let text = """
    <mujoco model="half cheetah">
      <compiler angle="radian" inertiafromgeom="true" settotalmass="14"/>
      <option timestep="0.01" gravity="0 0 -9.81"/>
      <default>
        <joint type="hinge" axis="0 1 0" limited="true" armature="0.1" solreflimit="0.02 1"
          solimplimit="0 0.8 0.03"/>
        <geom type="capsule" size="0.046" material="shell" friction="0.4 0.1 0.1" condim="3"
          contype="1" conaffinity="0" solref="0.02 1" solimp="0 0.8 0.01"/>
        <motor ctrllimited="true" ctrlrange="-1 1"/>
        <default class="carriage">
          <joint limited="false" damping="0" armature="0" stiffness="0"/>
        </default>
      </default>
      \(RobotScene.assets)
      <worldbody>
        \(RobotScene.light)
        <geom name="floor" type="plane" size="40 40 40" material="ground" conaffinity="1"/>
        <body name="torso" pos="0 0 0.7">
          \(RobotScene.camera(distance: 3.2, height: 0.6, lookingBelow: 0.1))
          <joint class="carriage" name="x" type="slide" axis="1 0 0"/>
          <joint class="carriage" name="height" type="slide" axis="0 0 1"/>
          <joint class="carriage" name="pitch"/>
          <geom name="torso" fromto="-0.5 0 0 0.5 0 0"/>
          <geom name="head" pos="0.6 0 0.1" axisangle="0 1 0 0.87" size="0.046 0.15"/>
          <body name="back thigh" pos="-0.5 0 0">
            <joint name="back thigh" range="-0.52 1.05" stiffness="240" damping="6"/>
            <geom name="back thigh" pos="0.1 0 -0.13" axisangle="0 1 0 -3.8" size="0.046 0.145"/>
            <body name="back shin" pos="0.16 0 -0.25">
              <joint name="back shin" range="-0.785 0.785" stiffness="180" damping="4.5"/>
              <geom name="back shin" pos="-0.14 0 -0.07" axisangle="0 1 0 -2.03"
                size="0.046 0.15" material="shank"/>
              <body name="back foot" pos="-0.28 0 -0.14">
                <joint name="back foot" range="-0.4 0.785" stiffness="120" damping="3"/>
                <geom name="back foot" pos="0.03 0 -0.097" axisangle="0 1 0 -0.27"
                  size="0.046 0.094" material="shank"/>
              </body>
            </body>
          </body>
          <body name="front thigh" pos="0.5 0 0">
            <joint name="front thigh" range="-1 0.7" stiffness="180" damping="4.5"/>
            <geom name="front thigh" pos="-0.07 0 -0.12" axisangle="0 1 0 0.52"
              size="0.046 0.133"/>
            <body name="front shin" pos="-0.14 0 -0.24">
              <joint name="front shin" range="-1.2 0.87" stiffness="120" damping="3"/>
              <geom name="front shin" pos="0.065 0 -0.09" axisangle="0 1 0 -0.6"
                size="0.046 0.106" material="shank"/>
              <body name="front foot" pos="0.13 0 -0.18">
                <joint name="front foot" range="-0.5 0.5" stiffness="60" damping="1.5"/>
                <geom name="front foot" pos="0.045 0 -0.07" axisangle="0 1 0 -0.6"
                  size="0.046 0.07" material="shank"/>
              </body>
            </body>
          </body>
        </body>
      </worldbody>
      <actuator>
        <motor name="back thigh" joint="back thigh" gear="120"/>
        <motor name="back shin" joint="back shin" gear="90"/>
        <motor name="back foot" joint="back foot" gear="60"/>
        <motor name="front thigh" joint="front thigh" gear="120"/>
        <motor name="front shin" joint="front shin" gear="60"/>
        <motor name="front foot" joint="front foot" gear="30"/>
      </actuator>
    </mujoco>
    """
}
