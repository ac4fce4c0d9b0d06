import CMuJoCo

/// The numbers of a compiled model that the physics reads, under MuJoCo's own names.
enum ModelNumbers {
  static func all(of pointer: UnsafePointer<mjModel>) -> [String: [Double]] {
    sizes(pointer.pointee)
      .merging(options(pointer.pointee)) { first, _ in first }
      .merging(integers(pointer.pointee)) { first, _ in first }
      .merging(reals(pointer.pointee)) { first, _ in first }
  }

  private static func sizes(_ model: mjModel) -> [String: [Double]] {
    var numbers: [String: [Double]] = [:]
    numbers["nq"] = [Double(model.nq)]
    numbers["nv"] = [Double(model.nv)]
    numbers["nu"] = [Double(model.nu)]
    numbers["na"] = [Double(model.na)]
    numbers["nbody"] = [Double(model.nbody)]
    numbers["njnt"] = [Double(model.njnt)]
    numbers["ngeom"] = [Double(model.ngeom)]
    numbers["nmocap"] = [Double(model.nmocap)]
    numbers["npair"] = [Double(model.npair)]
    numbers["nexclude"] = [Double(model.nexclude)]
    numbers["neq"] = [Double(model.neq)]
    numbers["ntendon"] = [Double(model.ntendon)]
    numbers["nsensor"] = [Double(model.nsensor)]
    numbers["stat.meaninertia"] = [model.stat.meaninertia]
    return numbers
  }

  private static func options(_ model: mjModel) -> [String: [Double]] {
    var numbers: [String: [Double]] = [:]
    numbers["opt.timestep"] = [Double(model.opt.timestep)]
    numbers["opt.impratio"] = [Double(model.opt.impratio)]
    numbers["opt.tolerance"] = [Double(model.opt.tolerance)]
    numbers["opt.noslip_tolerance"] = [Double(model.opt.noslip_tolerance)]
    numbers["opt.mpr_tolerance"] = [Double(model.opt.mpr_tolerance)]
    numbers["opt.gravity"] = tuple(model.opt.gravity)
    numbers["opt.wind"] = tuple(model.opt.wind)
    numbers["opt.magnetic"] = tuple(model.opt.magnetic)
    numbers["opt.density"] = [Double(model.opt.density)]
    numbers["opt.viscosity"] = [Double(model.opt.viscosity)]
    numbers["opt.o_margin"] = [Double(model.opt.o_margin)]
    numbers["opt.o_solref"] = tuple(model.opt.o_solref)
    numbers["opt.o_solimp"] = tuple(model.opt.o_solimp)
    numbers["opt.integrator"] = [Double(model.opt.integrator)]
    numbers["opt.collision"] = [Double(model.opt.collision)]
    numbers["opt.cone"] = [Double(model.opt.cone)]
    numbers["opt.jacobian"] = [Double(model.opt.jacobian)]
    numbers["opt.solver"] = [Double(model.opt.solver)]
    numbers["opt.iterations"] = [Double(model.opt.iterations)]
    numbers["opt.noslip_iterations"] = [Double(model.opt.noslip_iterations)]
    numbers["opt.mpr_iterations"] = [Double(model.opt.mpr_iterations)]
    numbers["opt.disableflags"] = [Double(model.opt.disableflags)]
    numbers["opt.enableflags"] = [Double(model.opt.enableflags)]
    return numbers
  }

  private static func integers(_ model: mjModel) -> [String: [Double]] {
    var numbers: [String: [Double]] = [:]
    func add<Number: BinaryInteger>(
      _ name: String, _ values: UnsafeMutablePointer<Number>, _ count: Int32, _ width: Int32
    ) {
      numbers[name] = (0..<Int(count * width)).map { Double(values[$0]) }
    }
    add("body_parentid", model.body_parentid, model.nbody, 1)
    add("body_rootid", model.body_rootid, model.nbody, 1)
    add("body_weldid", model.body_weldid, model.nbody, 1)
    add("body_jntnum", model.body_jntnum, model.nbody, 1)
    add("body_jntadr", model.body_jntadr, model.nbody, 1)
    add("body_dofnum", model.body_dofnum, model.nbody, 1)
    add("body_dofadr", model.body_dofadr, model.nbody, 1)
    add("body_geomnum", model.body_geomnum, model.nbody, 1)
    add("body_geomadr", model.body_geomadr, model.nbody, 1)
    add("body_simple", model.body_simple, model.nbody, 1)
    add("body_sameframe", model.body_sameframe, model.nbody, 1)
    add("jnt_type", model.jnt_type, model.njnt, 1)
    add("jnt_qposadr", model.jnt_qposadr, model.njnt, 1)
    add("jnt_dofadr", model.jnt_dofadr, model.njnt, 1)
    add("jnt_bodyid", model.jnt_bodyid, model.njnt, 1)
    add("jnt_limited", model.jnt_limited, model.njnt, 1)
    add("dof_bodyid", model.dof_bodyid, model.nv, 1)
    add("dof_jntid", model.dof_jntid, model.nv, 1)
    add("dof_parentid", model.dof_parentid, model.nv, 1)
    add("dof_Madr", model.dof_Madr, model.nv, 1)
    add("dof_simplenum", model.dof_simplenum, model.nv, 1)
    add("geom_type", model.geom_type, model.ngeom, 1)
    add("geom_contype", model.geom_contype, model.ngeom, 1)
    add("geom_conaffinity", model.geom_conaffinity, model.ngeom, 1)
    add("geom_condim", model.geom_condim, model.ngeom, 1)
    add("geom_bodyid", model.geom_bodyid, model.ngeom, 1)
    add("geom_dataid", model.geom_dataid, model.ngeom, 1)
    add("geom_priority", model.geom_priority, model.ngeom, 1)
    add("geom_sameframe", model.geom_sameframe, model.ngeom, 1)
    add("actuator_trntype", model.actuator_trntype, model.nu, 1)
    add("actuator_dyntype", model.actuator_dyntype, model.nu, 1)
    add("actuator_gaintype", model.actuator_gaintype, model.nu, 1)
    add("actuator_biastype", model.actuator_biastype, model.nu, 1)
    add("actuator_trnid", model.actuator_trnid, model.nu, 2)
    add("actuator_ctrllimited", model.actuator_ctrllimited, model.nu, 1)
    add("actuator_forcelimited", model.actuator_forcelimited, model.nu, 1)
    add("actuator_actlimited", model.actuator_actlimited, model.nu, 1)
    return numbers
  }

  private static func reals(_ model: mjModel) -> [String: [Double]] {
    var numbers: [String: [Double]] = [:]
    func add(
      _ name: String, _ values: UnsafeMutablePointer<Double>, _ count: Int32, _ width: Int32
    ) {
      numbers[name] = (0..<Int(count * width)).map { values[$0] }
    }
    add("qpos0", model.qpos0, model.nq, 1)
    add("qpos_spring", model.qpos_spring, model.nq, 1)
    add("body_pos", model.body_pos, model.nbody, 3)
    add("body_quat", model.body_quat, model.nbody, 4)
    add("body_ipos", model.body_ipos, model.nbody, 3)
    add("body_iquat", model.body_iquat, model.nbody, 4)
    add("body_mass", model.body_mass, model.nbody, 1)
    add("body_subtreemass", model.body_subtreemass, model.nbody, 1)
    add("body_inertia", model.body_inertia, model.nbody, 3)
    add("body_invweight0", model.body_invweight0, model.nbody, 2)
    add("jnt_solref", model.jnt_solref, model.njnt, 2)
    add("jnt_solimp", model.jnt_solimp, model.njnt, 5)
    add("jnt_pos", model.jnt_pos, model.njnt, 3)
    add("jnt_axis", model.jnt_axis, model.njnt, 3)
    add("jnt_stiffness", model.jnt_stiffness, model.njnt, 1)
    add("jnt_range", model.jnt_range, model.njnt, 2)
    add("jnt_margin", model.jnt_margin, model.njnt, 1)
    add("dof_solref", model.dof_solref, model.nv, 2)
    add("dof_solimp", model.dof_solimp, model.nv, 5)
    add("dof_frictionloss", model.dof_frictionloss, model.nv, 1)
    add("dof_armature", model.dof_armature, model.nv, 1)
    add("dof_damping", model.dof_damping, model.nv, 1)
    add("dof_invweight0", model.dof_invweight0, model.nv, 1)
    add("dof_M0", model.dof_M0, model.nv, 1)
    add("geom_solmix", model.geom_solmix, model.ngeom, 1)
    add("geom_solref", model.geom_solref, model.ngeom, 2)
    add("geom_solimp", model.geom_solimp, model.ngeom, 5)
    add("geom_size", model.geom_size, model.ngeom, 3)
    add("geom_rbound", model.geom_rbound, model.ngeom, 1)
    add("geom_pos", model.geom_pos, model.ngeom, 3)
    add("geom_quat", model.geom_quat, model.ngeom, 4)
    add("geom_friction", model.geom_friction, model.ngeom, 3)
    add("geom_margin", model.geom_margin, model.ngeom, 1)
    add("geom_gap", model.geom_gap, model.ngeom, 1)
    add("geom_fluid", model.geom_fluid, model.ngeom, 12)
    add("actuator_dynprm", model.actuator_dynprm, model.nu, 10)
    add("actuator_gainprm", model.actuator_gainprm, model.nu, 10)
    add("actuator_biasprm", model.actuator_biasprm, model.nu, 10)
    add("actuator_ctrlrange", model.actuator_ctrlrange, model.nu, 2)
    add("actuator_forcerange", model.actuator_forcerange, model.nu, 2)
    add("actuator_actrange", model.actuator_actrange, model.nu, 2)
    add("actuator_gear", model.actuator_gear, model.nu, 6)
    add("actuator_cranklength", model.actuator_cranklength, model.nu, 1)
    add("actuator_acc0", model.actuator_acc0, model.nu, 1)
    add("actuator_length0", model.actuator_length0, model.nu, 1)
    add("actuator_lengthrange", model.actuator_lengthrange, model.nu, 2)
    return numbers
  }

  /// The elements of a C array of numbers, which Swift sees as a tuple.
  private static func tuple<Tuple>(_ value: Tuple) -> [Double] {
    withUnsafeBytes(of: value) { Array($0.bindMemory(to: Double.self)) }
  }
}
