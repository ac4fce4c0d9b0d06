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
