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
