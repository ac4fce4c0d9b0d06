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
